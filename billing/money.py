"""Amounts: integer minor units of an ISO 4217 currency, rounded half up and only where the design says so.

Scale comes from the ISO table (package `iso4217`), never from babel: CLDR differs from ISO on thirteen
currencies. Half up per line is what every exact half cent in the EN 16931 and Peppol examples does.
"""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Annotated, Final, Self

from iso4217 import Currency as IsoCurrency
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from billing.errors import BadInput

_PLAIN_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
# No exponent, no NaN, no thousands marks, no other alphabet's digits; 15 hold any amount that a person bills.
_PRECISION: Final = 60
# Wide enough that a product of two such numbers is exact before it is rounded once.
MAX_MINOR: Final = 10**15
# Fits a 64-bit integer with room for a sum of many lines.


def decimals_of(currency: str) -> int:
    """How many decimals ISO 4217 gives `currency` (JPY 0, USD 2, KWD 3).

    Raises BadInput on `currency` for a code that is not in the table or has no minor unit (gold, test codes).
    """
    try:
        exponent = IsoCurrency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise BadInput("currency", f"{currency!r} is no ISO 4217 currency", "use a three-letter code such as USD")
    return int(exponent)


def _currency(code: str) -> str:
    try:
        decimals_of(code)
    except BadInput as error:
        raise ValueError(error.cause) from error
    return code


Currency = Annotated[str, AfterValidator(_currency)]
"""A code that `decimals_of` knows."""


def parse_decimal(text: str, field: str) -> Decimal:
    """A plain decimal string such as `1250.00`. Raises BadInput naming `field` for anything else, floats included."""
    if not isinstance(text, str) or not _PLAIN_DECIMAL.fullmatch(text):
        raise BadInput(field, f"{text!r} is no plain decimal", 'send a decimal string such as "1250.00"')
    return Decimal(text)


def plain_text(value: Decimal) -> str:
    """`value` in its one spelling: no exponent, no trailing zeros, so that equal numbers hash equally."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _no_number(value: object) -> object:
    """A JSON number has been a float on its way, if not here then at the sender's."""
    if isinstance(value, str) and _PLAIN_DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise ValueError('send a decimal string such as "1250.00"')


PlainDecimal = Annotated[Decimal, BeforeValidator(_no_number), PlainSerializer(plain_text, str, when_used="json")]
"""A Decimal that travels as a plain decimal string and is never read from a JSON number."""


def half_up(value: Decimal) -> int:
    """The nearest integer, exact halves away from zero."""
    with localcontext() as context:
        context.prec = _PRECISION
        return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


class Money(BaseModel):
    """An amount: `minor` units (an int) of `currency` (ISO 4217)."""

    model_config = ConfigDict(frozen=True, strict=True)

    minor: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str, field: str = "amount") -> Self:
        """Major units as a decimal string. Raises BadInput on a malformed amount or on more decimals than ISO has."""
        decimals = decimals_of(currency)
        scaled = parse_decimal(text, field).scaleb(decimals)
        if scaled != scaled.to_integral_value():
            raise BadInput(field, f"{text} has more than the {decimals} decimals of {currency}", "round it first")
        return cls(minor=int(scaled), currency=currency)

    @property
    def major(self) -> Decimal:
        """The amount in major units with exactly the currency's decimals."""
        return Decimal(self.minor).scaleb(-decimals_of(self.currency))

    def __str__(self) -> str:
        """`1,250.00 USD`, for people."""
        return f"{self.major:,f} {self.currency}"


def line_minor(quantity: Decimal, unit_price: Decimal, currency: str) -> int:
    """What one line comes to in minor units: quantity x unit price (major units), rounded once, half up."""
    with localcontext() as context:
        context.prec = _PRECISION
        return half_up((quantity * unit_price).scaleb(decimals_of(currency)))


def subtotal_minor(lines: Iterable[tuple[Decimal, Decimal]], currency: str) -> int:
    """The sum of rounded lines; each line is (quantity, unit price in major units)."""
    return sum(line_minor(quantity, price, currency) for quantity, price in lines)


def percent_minor(subtotal: int, percent: Decimal) -> int:
    """A percent discount on the subtotal, in minor units, rounded once, half up."""
    with localcontext() as context:
        context.prec = _PRECISION
        return half_up(Decimal(subtotal) * percent / 100)
