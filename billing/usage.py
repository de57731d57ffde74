"""What one subscription owes for one month: from its plan and what was used to the intent that is billed.

Pure, so that a plan can be shown before it is run and a rerun comes to the same lines. Whoever calls says what was
used; records/usage.py adds it up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from billing import keys
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.metering import spelled
from billing.money import Money
from billing.motions import MAX_TEXT
from billing.plans import Charge, Model, Subscription
from billing.pricing import lines_of, minor_of, slices

_NONE: Final = Decimal(0)


@dataclass(frozen=True)
class Metered:
    """What a month bills of one meter, in units.

    `used` is all of it; `late` the part of `used` that belongs to months which were closed before it was told, by
    month; `as_overage` the first units over the included ones, which an overage invoice has billed already.
    """

    used: Decimal = _NONE
    late: Mapping[str, Decimal] = field(default_factory=dict)
    as_overage: Decimal = _NONE


@dataclass(frozen=True)
class Skipped:
    """A month of a subscription that makes no invoice, and why."""

    subscription_id: str
    period: str
    reason: str


def bill(
    subscription: Subscription, period: str, used: Mapping[str, Metered], occurred_at: datetime
) -> Intent | Skipped:
    """The invoice of one month, or why there is none: a total of nothing is not billed.

    `used` is by meter; a meter that is not in it was not used. A month in which the subscription has no day bills what
    was told late, and neither flat amounts nor minimums. `occurred_at` is the time of the run and no part of what is
    billed: the same month comes to the same `payload_hash`, whenever it is built. Raises BadInput on a total that is
    too large to bill, or on a period that is none.
    """
    key = keys.usage_key(subscription.id, period)
    is_active = subscription.is_active_in(period)
    lines = [
        line
        for charge in subscription.charges
        for line in _charged(subscription, charge, period, used.get(charge.meter, Metered()), is_active=is_active)
    ]
    if minor_of(lines, subscription.currency) == 0:
        return Skipped(subscription.id, period, _why_nothing(is_active=is_active, metered=bool(lines)))
    source = Source(event_id=f"usage:{subscription.id}:{period}", occurred_at=occurred_at, scope=subscription.id)
    return _intent(subscription, Motion.USAGE, key, lines, source)


def _why_nothing(*, is_active: bool, metered: bool) -> str:
    if not is_active:
        return "it has no day in this month, and nothing came late"
    return "what was used comes to nothing" if metered else "nothing to bill was used"


def overage(subscription: Subscription, charge: Charge, period: str, over: Decimal, at: datetime) -> Intent | None:
    """The invoice of the first `over` units beyond the included ones; None while they come to nothing.

    Raises BadInput on a total that is too large to bill.
    """
    lines = _overage_lines(subscription, charge, period, over)
    if minor_of(lines, subscription.currency) == 0:
        return None
    source = Source(
        event_id=f"overage:{subscription.id}:{period}:{charge.meter}", occurred_at=at, scope=subscription.id
    )
    key = keys.overage_key(subscription.id, period, charge.meter)
    return _intent(subscription, Motion.OVERAGE, key, lines, source)


def over_included(charge: Charge, used: Decimal) -> Decimal:
    """How many units of `used` cost something."""
    return max(_NONE, used - charge.free)


def has_passed(charge: Charge, used: Decimal) -> bool:
    """Whether there are enough units over the included ones for an invoice of their own."""
    return over_included(charge, used) > Decimal(charge.overage_after or 0)


def _charged(
    subscription: Subscription, charge: Charge, period: str, metered: Metered, *, is_active: bool
) -> Iterator[Line]:
    if charge.model is Model.FLAT:
        if is_active:
            amount = Money.parse(charge.amount or "0", subscription.currency).major
            yield Line(description=_clipped(f"{charge.name}, {period}"), quantity=Decimal(1), unit_price=amount)
        return
    words = _clipped(f"{charge.name}, {period}: {_metering(charge, metered)}")
    found = slices(charge, metered.as_overage, over_included(charge, metered.used))
    lines = list(lines_of(charge, found, words, subscription.currency))
    yield from lines
    if charge.minimum is not None and is_active:
        billed = minor_of(lines, subscription.currency)
        billed += minor_of(_overage_lines(subscription, charge, period, metered.as_overage), subscription.currency)
        yield from _up_to_minimum(charge, words, billed, subscription.currency)


def _up_to_minimum(charge: Charge, words: str, billed: int, currency: str) -> Iterator[Line]:
    minimum = Money.parse(charge.minimum or "0", currency)
    missing = Money(minor=minimum.minor - billed, currency=currency)
    if missing.minor > 0:
        yield Line(
            description=f"{words}, up to the minimum of {minimum}", quantity=Decimal(1), unit_price=missing.major
        )


def _overage_lines(subscription: Subscription, charge: Charge, period: str, over: Decimal) -> list[Line]:
    words = f"{charge.name}, overage in {period}: {spelled(over)} over the {spelled(charge.free)} included"
    return list(lines_of(charge, slices(charge, _NONE, over), words, subscription.currency))


def _metering(charge: Charge, metered: Metered) -> str:
    """`4,000 used (of them 20 in 2026-09, told late), 500 included, 100 billed as overage`."""
    late = "; ".join(f"{spelled(quantity)} in {month}" for month, quantity in sorted(metered.late.items()) if quantity)
    parts = [f"{spelled(metered.used)} used" + (f" (of them {late}, told late)" if late else "")]
    if charge.free:
        parts.append(f"{spelled(charge.free)} included")
    if metered.as_overage:
        parts.append(f"{spelled(metered.as_overage)} billed as overage")
    return ", ".join(parts)


def _clipped(words: str) -> str:
    """Short enough that a tier, a minimum or a price still fits behind it."""
    return words[: MAX_TEXT - 300]


def _intent(subscription: Subscription, motion: Motion, key: str, lines: list[Line], source: Source) -> Intent:
    commercial = Commercial(
        currency=subscription.currency, lines=tuple(lines), payment_terms=subscription.payment_terms
    )
    return Intent(
        key=key, motion=motion, customer_id=subscription.customer_id, commercial=commercial.check(), source=source
    )
