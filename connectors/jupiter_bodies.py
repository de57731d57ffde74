"""What we say to the invoicing API: bodies built from the commercial content, and only of fields that are ours to send.

Lines go out as `billing/provider.py` spells them, so that the API's total and ours agree by construction.
"""

from decimal import Decimal
from typing import Any

from billing.intent import Commercial, Discount, DiscountType, Line
from billing.money import Money, decimals_of
from billing.ownership import only_sendable
from billing.provider import as_sent, is_whole, to_wire
from connectors.jupiter_wire import Wire
from connectors.ports import Recipient


def create_body(wire: Wire, reference: str, recipient: Recipient, commercial: Commercial) -> dict[str, Any]:
    """The body of a new draft."""
    draft = {
        "recipient.company": recipient.company,
        "recipient.email": recipient.email,
        "reference": reference,
        **commercial_fields(commercial),
    }
    return _nested(wire, only_sendable(draft))


def patch_body(wire: Wire, commercial: Commercial, carried: dict[str, Any]) -> dict[str, Any]:
    """The body of a draft's edit. Raises ValueError on a carried field that is no recipient's."""
    return _nested(wire, only_sendable({**commercial_fields(commercial), **carried}, frozenset(carried)))


def version_body(wire: Wire, commercial: Commercial, change_request_id: str | None) -> dict[str, Any]:
    """The body of a next version."""
    body = _nested(wire, only_sendable(commercial_fields(commercial)))
    if change_request_id is not None:
        body[wire.field("change_request_id")] = change_request_id
    return body


def commercial_fields(commercial: Commercial) -> dict[str, Any]:
    """Every commercial field by our names, so that an edit also takes away what the edited content lacks."""
    fields: dict[str, Any] = {
        "currency": commercial.currency,
        "line_items": [_line(line, commercial.currency) for line in commercial.lines],
        "discount": None if commercial.discount is None else _discount(commercial.discount, commercial.currency),
        "payment_terms": commercial.payment_terms,
    }
    if commercial.due_date is not None:
        fields["due_date"] = commercial.due_date.isoformat()
    return fields


def _line(line: Line, currency: str) -> dict[str, Any]:
    sent = as_sent(line, currency)
    minor = int(sent.unit_price.scaleb(decimals_of(currency)))
    return {
        "description": sent.description,
        "quantity": _number(sent.quantity),
        "unit_price_cents": to_wire(minor, currency),
    }


def _discount(discount: Discount, currency: str) -> dict[str, Any]:
    if discount.type is DiscountType.PERCENT:
        return {"type": "percent", "value": _number(discount.value)}
    minor = Money.parse(f"{discount.value:f}", currency, "discount.value").minor
    return {"type": "flat", "value_cents": to_wire(minor, currency)}


def _number(value: Decimal) -> int | float:
    """A JSON number. A quantity or a percentage, never an amount; within `JSON_DIGITS` a double holds it exactly."""
    return int(value) if is_whole(value) else float(value)


def _nested(wire: Wire, draft: dict[str, Any]) -> dict[str, Any]:
    """Our flat field names at the places where the API has them."""
    body: dict[str, Any] = {}
    for name, value in draft.items():
        *parents, last = wire.field(name).split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return body
