"""Plans: what a subscription charges for each of its meters, checked as a whole before anything is counted by it.

A charge has one of four models. `flat` bills `amount` a month, whatever is used. The others bill units, those over
`included`: `per_unit` each at `unit_price`; `graduated` each at the price of the tier that it lies in; `volume` all at
the price of the tier that the last one lies in. A tier reaches from where the one before it ends to `up_to` inclusive,
the last has none; its `flat_fee` is owed once a unit lies in it. `minimum` is what the charge comes to at least.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from billing.errors import BadInput
from billing.groups import first_day, last_day
from billing.intent import DEFAULT_TERMS, PaymentTerms
from billing.metering import stored, units
from billing.models import Exact
from billing.money import Currency, Money, parse_decimal
from billing.motions import PRICE_DECIMALS, Day, Id

MOST_CHARGES: Final = 20
MOST_TIERS: Final = 12
# Two lines a tier and one for the minimum: with these no plan comes to more lines than an invoice takes.


class Model(StrEnum):
    """How units become money."""

    FLAT = "flat"
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"


class Overage(StrEnum):
    """Who bills the units over `included`: the monthly run, or first an invoice of their own once there are any."""

    RUN = "run"
    INVOICE = "invoice"


class Tier(Exact):
    """Prices in major units as decimal strings; `up_to` in units, left out for the last."""

    up_to: str | None = None
    unit_price: str
    flat_fee: str | None = None

    @property
    def end(self) -> Decimal | None:
        return None if self.up_to is None else Decimal(self.up_to)

    @property
    def fee(self) -> Decimal:
        return Decimal(self.flat_fee or 0)


class Charge(Exact):
    """What one meter costs. `description` is how its lines begin; without one they begin with the meter's name.

    With `overage: "invoice"` the units over `included` get an invoice of their own, once a month, as soon as there are
    more of them than `overage_after`; what comes after it is for the run.
    """

    meter: Id
    model: Model
    description: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = None
    amount: str | None = None
    unit_price: str | None = None
    tiers: Annotated[tuple[Tier, ...], Field(max_length=MOST_TIERS)] = ()
    included: str | None = None
    minimum: str | None = None
    overage: Overage = Overage.RUN
    overage_after: str | None = None

    @property
    def name(self) -> str:
        return self.description or self.meter

    @property
    def free(self) -> Decimal:
        """Units that cost nothing."""
        return Decimal(self.included or 0)

    @property
    def price_tiers(self) -> tuple[Tier, ...]:
        """Its tiers; a price per unit is one tier without an end."""
        return self.tiers or (Tier(unit_price=self.unit_price or "0"),)

    def check(self, at: str, currency: str) -> None:
        """Raises BadInput naming the field under `at`, for what contradicts the model or is no money of `currency`."""
        self._check_fields(at)
        for name, amount in (("amount", self.amount), ("minimum", self.minimum)):
            _check_money(amount, f"{at}.{name}", currency)
        if self.unit_price is not None:
            _check_price(self.unit_price, f"{at}.unit_price")
        for name, quantity in (("included", self.included), ("overage_after", self.overage_after)):
            if quantity is not None:
                stored(quantity, f"{at}.{name}")
        self._check_tiers(at, currency)

    def _check_fields(self, at: str) -> None:
        wanted = _FIELDS[self.model]
        for name in ("amount", "unit_price", "tiers", "included", "minimum"):
            given = bool(getattr(self, name))
            if name in wanted.needs and not given:
                raise BadInput(f"{at}.{name}", f"a {self.model.value} charge needs it", "send it")
            if given and name not in wanted.needs | wanted.takes:
                raise BadInput(f"{at}.{name}", f"a {self.model.value} charge has none", "leave it out")
        if self.overage is Overage.INVOICE and self.model not in _ADDS_UP:
            raise BadInput(
                f"{at}.overage",
                f"what a unit of a {self.model.value} charge costs is not known before the month ends",
                'use "run", or one of ' + ", ".join(model.value for model in _ADDS_UP),
            )
        if self.overage is Overage.INVOICE and self.included is None:
            raise BadInput(f"{at}.included", "overage begins where it ends", 'send it, "0" if there is none')
        if self.overage_after is not None and self.overage is not Overage.INVOICE:
            raise BadInput(f"{at}.overage_after", 'it belongs to overage = "invoice"', "leave it out")

    def _check_tiers(self, at: str, currency: str) -> None:
        begins = 0
        for index, tier in enumerate(self.tiers):
            here, is_last = f"{at}.tiers.{index}", index == len(self.tiers) - 1
            _check_price(tier.unit_price, f"{here}.unit_price")
            _check_money(tier.flat_fee, f"{here}.flat_fee", currency)
            if (tier.up_to is None) != is_last:
                cause = "the last tier has no end" if is_last else "only the last tier has no end"
                raise BadInput(f"{here}.up_to", cause, "leave it out there, and only there")
            if tier.up_to is not None and (ends := stored(tier.up_to, f"{here}.up_to")) <= begins:
                raise BadInput(f"{here}.up_to", f"{tier.up_to} is not over {units(begins):f}", "let the tiers rise")
            begins = 0 if tier.up_to is None else ends


class _Fields(Exact):
    """Which of a charge's fields a model needs, and which it takes besides."""

    needs: frozenset[str]
    takes: frozenset[str] = frozenset({"included", "minimum"})


_FIELDS: Final = {
    Model.FLAT: _Fields(needs=frozenset({"amount"}), takes=frozenset()),
    Model.PER_UNIT: _Fields(needs=frozenset({"unit_price"})),
    Model.GRADUATED: _Fields(needs=frozenset({"tiers"})),
    Model.VOLUME: _Fields(needs=frozenset({"tiers"})),
}
_ADDS_UP: Final = (Model.PER_UNIT, Model.GRADUATED)
# Models in which units cost the same whenever they are billed.


class SubscriptionBody(Exact):
    """`PUT /subscriptions/{id}`: billed here from `started_on` to `ended_on`, both inclusive, as days of its group."""

    customer_id: Id
    billing_group: Id
    currency: Currency
    started_on: Day
    ended_on: Day | None = None
    payment_terms: PaymentTerms = DEFAULT_TERMS
    charges: Annotated[tuple[Charge, ...], Field(min_length=1, max_length=MOST_CHARGES)]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.ended_on is not None and self.ended_on < self.started_on:
            raise BadInput("ended_on", f"{self.ended_on} is before started_on", "send a later day, or none")
        for index, charge in enumerate(self.charges):
            if self.charge(charge.meter) is not charge:
                raise BadInput(
                    f"charges.{index}.meter", f"{charge.meter!r} is charged twice", "send one charge a meter"
                )
            charge.check(f"charges.{index}", self.currency)
        return self

    def charge(self, meter: str) -> Charge | None:
        """What that meter costs, where the plan has it."""
        return next((charge for charge in self.charges if charge.meter == meter), None)

    def is_active_in(self, period: str) -> bool:
        """Whether one day of the month, at least, is the subscription's."""
        return self.started_on <= last_day(period) and (self.ended_on is None or self.ended_on >= first_day(period))

    def has_day(self, day: date) -> bool:
        return self.started_on <= day and (self.ended_on is None or day <= self.ended_on)


class Subscription(SubscriptionBody):
    """A subscription with its id."""

    id: Id

    def over_included(self) -> Iterator[Charge]:
        """The charges whose overage is billed by itself."""
        return (charge for charge in self.charges if charge.overage is Overage.INVOICE)


def _check_price(text: str, field: str) -> None:
    """A unit price, which may be finer than a minor unit."""
    value = parse_decimal(text, field)
    if value < 0:
        raise BadInput(field, f"{text} is negative", "send a price from 0 on")
    if value != round(value, PRICE_DECIMALS):
        raise BadInput(field, f"{text} has more than {PRICE_DECIMALS} decimals", "round it first")


def _check_money(text: str | None, field: str, currency: str) -> None:
    if text is not None and Money.parse(text, currency, field).minor < 0:
        raise BadInput(field, f"{text} is negative", "send an amount from 0 on")
