"""What was used: one event of a meter, and quantities as numbers that add up exactly on every database.

A quantity has six decimals at most and is stored as an integer count of millionths. Integers sum exactly on SQLite and
on PostgreSQL, where SQLite would take a decimal for a float.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from billing.errors import BadInput
from billing.money import parse_decimal, plain_text
from billing.motions import Id, Moment

DECIMALS: Final = 6
# A second of an hour is 0.000278; finer than that nobody meters.
MOST_ONCE: Final = Decimal(10) ** 12
# One event; a terabyte in bytes.
MOST_STORED: Final = 9 * 10**18
# A period's total in millionths, just under what 64 bits hold: nine trillion units.


class UsageEvent(BaseModel):
    """So much was used at that moment. Counts once per `event_id`; `quantity` is a decimal string."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    subscription_id: Id
    meter: Id
    quantity: str
    at: Moment

    @model_validator(mode="after")
    def _quantity_holds(self) -> Self:
        stored(self.quantity, "quantity")
        return self

    @property
    def stored_quantity(self) -> int:
        """In millionths."""
        return stored(self.quantity, "quantity")

    @classmethod
    def of(cls, body: Any) -> Self:
        """Raises BadInput naming the field."""
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            raise BadInput.of(error) from None


def stored(text: str, field: str) -> int:
    """A quantity as a decimal string, in millionths. Raises BadInput naming `field`."""
    value = parse_decimal(text, field)
    if value < 0:
        raise BadInput(field, f"{text} is negative", "send from 0 on; a correction is an edit of the invoice")
    if value > MOST_ONCE:
        raise BadInput(field, f"{text} is more than one event holds", f"send at most {MOST_ONCE:,f}")
    scaled = value.scaleb(DECIMALS)
    if scaled != scaled.to_integral_value():
        raise BadInput(field, f"{text} has more than {DECIMALS} decimals", "round it first")
    return int(scaled)


def units(millionths: int) -> Decimal:
    """A stored quantity as it was sent, or a sum of such, in units of the meter."""
    return Decimal(millionths).scaleb(-DECIMALS)


def spelled(quantity: Decimal) -> str:
    """`12,500.5`, for people."""
    whole, _, rest = plain_text(quantity).partition(".")
    return f"{int(whole):,}{'.' if rest else ''}{rest}"
