"""The triggers: one strict payload per billing motion, each of which becomes an `Intent`.

Field names and keys are those of the HTTP contract; amounts come as decimal strings. Every complaint names the field
as the caller spelled it.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from billing import keys
from billing.complaints import TIMES
from billing.errors import BadInput
from billing.intent import (
    DEFAULT_TERMS,
    MAX_PERCENT,
    Commercial,
    Discount,
    DiscountType,
    Intent,
    Line,
    Motion,
    Patch,
    PaymentTerms,
    Source,
)
from billing.money import Money, decimals_of, parse_decimal

_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MAX_LINES: Final = 500
MAX_TEXT: Final = 2000
PRICE_DECIMALS: Final = 8
# Finer than any published unit price; a price in sub-cents is allowed, a fixed amount in them is not.
_EARLIEST: Final = datetime(2, 1, 2, tzinfo=UTC)
_LATEST: Final = datetime(9998, 12, 30, tzinfo=UTC)
# Between them a moment has a day in every zone, and that day's month has a month on either side.


def _rfc3339(value: object) -> object:
    """Pydantic would take 20261001 as well, as seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and not _DATED.match(value)):
        raise ValueError(TIMES)
    return value


def _within_the_calendar(moment: datetime) -> datetime:
    """9999-12-31T23:59:59-12:00 is well formed, and no time of UTC."""
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError(f"send a time between the years {_EARLIEST.year} and {_LATEST.year}")
    return moment


Id = Annotated[str, Field(pattern=f"^{keys.ID_PATTERN}$")]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]
# A NUL is text to JSON and none to PostgreSQL.
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_within_the_calendar)]
Day = Annotated[date, BeforeValidator(_rfc3339)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DiscountBody(_Body):
    """`{type: percent|flat, value: decimal string}`."""

    type: DiscountType
    value: str

    def to_discount(self, currency: str) -> Discount:
        value = parse_decimal(self.value, "discount.value")
        if self.type is DiscountType.FLAT:
            value = Money.parse(self.value, currency, "discount.value").major
        elif value > MAX_PERCENT:
            raise BadInput("discount.value", f"{self.value} percent is over {MAX_PERCENT}", "send 100 at the most")
        if value <= 0:
            raise BadInput("discount.value", f"{self.value} takes nothing off", "send a positive value, or no discount")
        return Discount(type=self.type, value=value)


class LineBody(_Body):
    """`{description, quantity, unit_price}`; quantity and unit price as decimal strings, price in major units."""

    description: Text
    quantity: str = "1"
    unit_price: str

    def to_line(self, at: str, currency: str) -> Line:
        quantity = _positive(self.quantity, f"{at}.quantity")
        return Line(
            description=self.description,
            quantity=quantity,
            unit_price=_price(self.unit_price, f"{at}.unit_price", quantity, currency),
        )


class PatchBody(_Body):
    """An edit by a person: the same spelling as a trigger's."""

    line_items: Annotated[list[LineBody], Field(max_length=MAX_LINES)] | None = None
    discount: DiscountBody | None = None
    payment_terms: PaymentTerms | None = None
    due_date: Day | None = None
    remove_discount: bool = False

    def to_patch(self, currency: str) -> Patch:
        return Patch(
            lines=None if self.line_items is None else _lines(self.line_items, currency),
            discount=None if self.discount is None else self.discount.to_discount(currency),
            payment_terms=self.payment_terms,
            due_date=self.due_date,
            remove_discount=self.remove_discount,
        )


class _Trigger(_Body):
    """What every trigger carries."""

    event_id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    occurred_at: Moment
    customer_id: Id
    currency: str
    payment_terms: PaymentTerms = DEFAULT_TERMS
    due_date: Day | None = None
    discount: DiscountBody | None = None
    deal_id: Id | None = None
    amount_field: ClassVar[str] = "line_items"

    def _commercial(self, lines: tuple[Line, ...]) -> Commercial:
        commercial = Commercial(
            currency=self.currency,
            lines=lines,
            discount=None if self.discount is None else self.discount.to_discount(self.currency),
            payment_terms=self.payment_terms,
            due_date=self.due_date,
        ).check()
        if not commercial.subtotal_minor:
            # A discount of all of it is somebody's word; nothing before any discount is a mistake.
            raise BadInput(self.amount_field, "it comes to nothing to bill", "send what comes to a positive amount")
        return commercial

    def _intent(self, motion: Motion, key: str, scope: str, lines: tuple[Line, ...], triggered_by: str) -> Intent:
        return Intent(
            key=key,
            motion=motion,
            customer_id=self.customer_id,
            commercial=self._commercial(lines),
            source=Source(event_id=self.event_id, occurred_at=self.occurred_at, scope=scope, triggered_by=triggered_by),
            deal_id=self.deal_id,
        )


class MilestoneTrigger(_Trigger):
    """A PM tool says that a milestone is done."""

    project_id: Id
    milestone_id: Id
    description: Text
    amount: str
    amount_field: ClassVar[str] = "amount"

    def to_intent(self, triggered_by: str = "") -> Intent:
        """Raises BadInput naming the field."""
        amount = Money.parse(self.amount, self.currency)
        if amount.minor < 0:
            raise BadInput("amount", f"{self.amount} is negative", "send a positive amount")
        line = Line(description=self.description, quantity=Decimal(1), unit_price=amount.major)
        key = keys.milestone_key(self.project_id, self.milestone_id)
        return self._intent(Motion.MILESTONE, key, self.project_id, (line,), triggered_by)


class ProjectTrigger(_Trigger):
    """A job runner finished a project."""

    project_id: Id
    line_items: Annotated[list[LineBody], Field(max_length=MAX_LINES)]

    def to_intent(self, triggered_by: str = "") -> Intent:
        """Raises BadInput naming the field."""
        lines = _lines(self.line_items, self.currency)
        return self._intent(Motion.PROJECT, keys.project_key(self.project_id), self.project_id, lines, triggered_by)


class QuoteTrigger(_Trigger):
    """A CRM says that a quote was signed or a deal won."""

    quote_id: Id
    line_items: Annotated[list[LineBody], Field(max_length=MAX_LINES)]

    def to_intent(self, triggered_by: str = "") -> Intent:
        """Raises BadInput naming the field."""
        lines = _lines(self.line_items, self.currency)
        scope = self.deal_id or self.quote_id
        return self._intent(Motion.QUOTE, keys.quote_key(self.quote_id), scope, lines, triggered_by)


class OverageTrigger(_Trigger):
    """A meter passed its included quantity in a period."""

    subscription_id: Id
    period: str
    meter: Id
    quantity: str
    unit_price: str
    amount_field: ClassVar[str] = "unit_price"

    def to_intent(self, triggered_by: str = "") -> Intent:
        """Raises BadInput naming the field."""
        key = keys.overage_key(self.subscription_id, self.period, self.meter)
        quantity = _positive(self.quantity, "quantity")
        price = _price(self.unit_price, "unit_price", quantity, self.currency)
        words = f"Overage of {self.meter} in {self.period}"
        line = Line(description=words, quantity=quantity, unit_price=price)
        return self._intent(Motion.OVERAGE, key, self.subscription_id, (line,), triggered_by)


class UsageTrigger(_Trigger):
    """What the monthly run builds for one subscription and period."""

    subscription_id: Id
    period: str
    line_items: Annotated[list[LineBody], Field(max_length=MAX_LINES)]

    def to_intent(self, triggered_by: str = "") -> Intent:
        """Raises BadInput naming the field."""
        key = keys.usage_key(self.subscription_id, keys.checked_period(self.period))
        lines = _lines(self.line_items, self.currency)
        return self._intent(Motion.USAGE, key, self.subscription_id, lines, triggered_by)


Trigger = MilestoneTrigger | ProjectTrigger | QuoteTrigger | OverageTrigger | UsageTrigger

TRIGGERS: Final[dict[Motion, type[Trigger]]] = {
    Motion.MILESTONE: MilestoneTrigger,
    Motion.PROJECT: ProjectTrigger,
    Motion.QUOTE: QuoteTrigger,
    Motion.OVERAGE: OverageTrigger,
    Motion.USAGE: UsageTrigger,
}


def _lines(bodies: list[LineBody], currency: str) -> tuple[Line, ...]:
    decimals_of(currency)
    if not bodies:
        raise BadInput("line_items", "there are none", "send one line at least")
    return tuple(body.to_line(f"line_items.{index}", currency) for index, body in enumerate(bodies))


def _positive(text: str, field: str) -> Decimal:
    value = parse_decimal(text, field)
    if value <= 0:
        raise BadInput(field, f"{text} is not positive", "send a positive decimal string")
    return value


def _price(text: str, field: str, quantity: Decimal, currency: str) -> Decimal:
    """A unit price; sub-cent only for something metered, since one piece at a third of a cent is a mistyped amount."""
    decimals = decimals_of(currency)
    value = parse_decimal(text, field)
    if value < 0:
        raise BadInput(field, f"{text} is negative", "send a price from 0 on; use discount to take something off")
    if quantity == 1:
        return Money.parse(text, currency, field).major
    if value != round(value, max(decimals, PRICE_DECIMALS)):
        raise BadInput(field, f"{text} has more than {PRICE_DECIMALS} decimals", "send a price with fewer")
    return value


def parse_trigger(motion: Motion, body: dict[str, Any], triggered_by: str = "") -> Intent:
    """The intent of a trigger body. Raises BadInput naming the field as the caller spelled it."""
    if motion not in TRIGGERS:
        raise BadInput("motion", f"{motion.value!r} has no trigger", f"use one of {', '.join(TRIGGERS)}")
    try:
        return TRIGGERS[motion].model_validate(body).to_intent(triggered_by)
    except ValidationError as error:
        raise BadInput.of(error) from None
