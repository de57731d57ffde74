"""What we say to the invoicing API: bodies built from the commercial content, and only of fields that are ours to send.

The API multiplies and rounds on its own. A line goes out as it is only where no rounding can come about; any other goes
out as quantity 1 of its amount, with the metering in its description, so that its total and ours agree by construction.
"""

from decimal import Decimal
from typing import Any, Final

from billing.errors import BadInput
from billing.intent import Commercial, Discount, DiscountType, Line
from billing.money import Money, decimals_of, line_minor
from billing.ownership import only_sendable
from connectors.jupiter_wire import PROVIDER_DECIMALS, Wire
from connectors.ports import Recipient

_JSON_DIGITS: Final = 15
# A JSON number of that many digits survives a double at the other side.


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
    price = line.unit_price.scaleb(decimals_of(currency))
    amount = line.quantity * price
    if _is_whole(price) and _is_whole(amount) and len(line.quantity.normalize().as_tuple().digits) <= _JSON_DIGITS:
        unit = to_wire(int(price), currency)
        return {"description": line.description, "quantity": _number(line.quantity), "unit_price_cents": unit}
    metering = f"{line.description} ({line.quantity:f} x {line.unit_price:f} {currency})"
    unit = to_wire(line_minor(line.quantity, line.unit_price, currency), currency)
    return {"description": metering, "quantity": 1, "unit_price_cents": unit}


def _discount(discount: Discount, currency: str) -> dict[str, Any]:
    if discount.type is DiscountType.PERCENT:
        return {"type": "percent", "value": _number(discount.value)}
    minor = Money.parse(f"{discount.value:f}", currency, "discount.value").minor
    return {"type": "flat", "value_cents": to_wire(minor, currency)}


def to_wire(minor: int, currency: str) -> int:
    """ISO minor units as the provider counts them. Raises BadInput where it has no unit that small."""
    scaled = Decimal(minor).scaleb(_shift(currency))
    if not _is_whole(scaled):
        raise BadInput("currency", f"{currency} has fewer decimals at the invoicing API than {minor} minor units need")
    return int(scaled)


def from_wire(amount: int, currency: str) -> Money:
    """The provider's amount as Money. Raises BadInput for a currency or an amount that ISO 4217 does not have."""
    scaled = Decimal(amount).scaleb(-_shift(currency))
    if not _is_whole(scaled):
        raise BadInput("currency", f"{amount} is finer than {currency} has minor units")
    return Money(minor=int(scaled), currency=currency)


def _shift(currency: str) -> int:
    decimals = decimals_of(currency)
    return PROVIDER_DECIMALS.get(currency, decimals) - decimals


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()


def _number(value: Decimal) -> int | float:
    """A JSON number. A quantity or a percentage, never an amount; within `_JSON_DIGITS` a double holds it exactly."""
    return int(value) if _is_whole(value) else float(value)


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
