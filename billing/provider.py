"""How the invoicing API counts and multiplies: its minor units, and how a line must be spelled to round as ours does.

The client that speaks to it and the reading of a recipient's proposal, which comes back in its spelling, need the same
answers; the second also runs inside a workflow, so they stand here and do no I/O.
"""

from decimal import Decimal
from types import MappingProxyType
from typing import Final

from billing.errors import BadInput
from billing.intent import Line
from billing.money import Money, decimals_of, line_minor

PROVIDER_DECIMALS: Final = MappingProxyType[str, int]({})
# Currencies whose minor unit at this API is not ISO 4217's; providers differ, this one is taken to follow ISO.
JSON_DIGITS: Final = 15
# A JSON number of that many digits survives a double at the other side.


def to_wire(minor: int, currency: str) -> int:
    """ISO minor units as the provider counts them. Raises BadInput where it has no unit that small."""
    scaled = Decimal(minor).scaleb(_shift(currency))
    if not is_whole(scaled):
        raise BadInput("currency", f"{currency} has fewer decimals at the invoicing API than {minor} minor units need")
    return int(scaled)


def from_wire(amount: int, currency: str) -> Money:
    """The provider's amount as Money. Raises BadInput for a currency or an amount that ISO 4217 does not have."""
    scaled = Decimal(amount).scaleb(-_shift(currency))
    if not is_whole(scaled):
        raise BadInput("currency", f"{amount} is finer than {currency} has minor units")
    return Money(minor=int(scaled), currency=currency)


def as_sent(line: Line, currency: str) -> Line:
    """`line` as it stands at the API, to the same amount.

    The API multiplies and rounds on its own. A line goes out as it is only where no rounding can come about; any other
    goes out as quantity 1 of its amount, with the metering in its description.
    """
    price = line.unit_price.scaleb(decimals_of(currency))
    exact = is_whole(price) and is_whole(line.quantity * price)
    if exact and len(line.quantity.normalize().as_tuple().digits) <= JSON_DIGITS:
        return line
    metering = f"{line.description} ({line.quantity:f} x {line.unit_price:f} {currency})"
    amount = Money(minor=line_minor(line.quantity, line.unit_price, currency), currency=currency)
    return Line(description=metering, quantity=Decimal(1), unit_price=amount.major)


def is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()


def _shift(currency: str) -> int:
    decimals = decimals_of(currency)
    return PROVIDER_DECIMALS.get(currency, decimals) - decimals
