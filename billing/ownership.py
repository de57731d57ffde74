"""Who owns which field. What builds a draft asks this map; a field that belongs to someone else cannot be sent."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Owner(StrEnum):
    """We, the invoicing API, or the recipient."""

    WE = "we"
    API = "invoicing_api"
    RECIPIENT = "recipient"


class Carry(StrEnum):
    """How far a recipient's answer carries to the next invoice."""

    CUSTOMER = "customer"
    SOURCE = "source"
    NEVER = "never"


@dataclass(frozen=True)
class Ownership:
    field: str
    owner: Owner
    note: str = ""


OWNERSHIP: Final[tuple[Ownership, ...]] = (
    Ownership("recipient.company", Owner.WE, "from our customer record"),
    Ownership("recipient.email", Owner.WE, "from our customer record"),
    Ownership("line_items", Owner.WE, "from the trigger"),
    Ownership("currency", Owner.WE, "from the trigger"),
    Ownership("discount", Owner.WE, "from the trigger"),
    Ownership("payment_terms", Owner.WE, "from the trigger, net_30 if it is silent"),
    Ownership("due_date", Owner.WE, "only if the trigger says so; else the API derives it from the terms"),
    Ownership("reference", Owner.WE, "our idempotency key, so that an invoice can be found again"),
    Ownership("id", Owner.API, "opaque; kept as external_id, never parsed, never shown as a number"),
    Ownership("number", Owner.API, "assigned at issue; never stored here"),
    Ownership("version", Owner.API),
    Ownership("status", Owner.API),
    Ownership("issue_date", Owner.API),
    Ownership("share_url", Owner.API, "the recipient's page; kept as link"),
    Ownership("pdf", Owner.API, "rendered there; never stored here"),
    Ownership("po_number", Owner.RECIPIENT, "carried forward by the setting carry_po"),
    Ownership("billing_entity", Owner.RECIPIENT, "carried forward per customer"),
    Ownership("address", Owner.RECIPIENT, "carried forward per customer"),
    Ownership("ap_contact", Owner.RECIPIENT, "carried forward per customer"),
    Ownership("tax_id", Owner.RECIPIENT, "carried forward per customer"),
)

_OBJECTS: Final = frozenset({"address", "ap_contact"})
LONGEST_VALUE: Final = 500
# Of a field, or of one part of an object.
RECIPIENT_FIELDS: Final[tuple[str, ...]] = tuple(item.field for item in OWNERSHIP if item.owner is Owner.RECIPIENT)
_OURS: Final = frozenset(item.field for item in OWNERSHIP if item.owner is Owner.WE)


def fits(field: str, value: Any) -> bool:
    """Whether a recipient can have given `value`: a text, an object of texts for an address or a contact, or nothing.

    Anything else no API takes back, so it must not reach a customer's record or his next invoice.
    """
    if field in _OBJECTS and value is not None:
        return isinstance(value, dict) and all(_is_text(part) for part in value.values())
    return _is_text(value)


def _is_text(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= LONGEST_VALUE)


def may_send(field: str, carried: frozenset[str] = frozenset()) -> bool:
    """Whether `field` may leave our side. `carried` are the fields that this recipient gave on an earlier invoice."""
    return field in _OURS or (field in RECIPIENT_FIELDS and field in carried)


def only_sendable(draft: dict[str, Any], carried: frozenset[str] = frozenset()) -> dict[str, Any]:
    """`draft` (our field names to values, dots for nesting) if every field may be sent.

    Raises ValueError naming the first field that belongs to someone else: that is a mistake of ours, never a caller's.
    """
    for field in draft:
        if not may_send(field, carried):
            raise ValueError(f"{field} is not ours to send; see `billhook fields`")
    return draft


def filled(value: Any) -> Any:
    """A recipient's value without its empty parts: an address with a blank line is the address without it."""
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if part} or None
    return value or None
