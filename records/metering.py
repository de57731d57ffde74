"""Taking usage events: each counted once, in the right month, or refused with its reason, and all of it in one go.

Events of one subscription are counted one transaction after another, since each holds the subscription until it ends.
So sums, closed months and overages that are read here stand still while it is decided what becomes of an event.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.errors import BadInput
from billing.groups import BillingGroup, month_of
from billing.metering import MOST_STORED, UsageEvent, spelled, units
from billing.plans import Subscription
from records.overages import Sum, find_overages
from records.sql import insert, now, table
from records.subscriptions import locked
from records.usage import closed, open_month
from records.usage_tables import UsageEventRow, UsageTotalRow

AHEAD: Final = timedelta(days=1)
# A clock that is a day wrong is a clock; beyond that it is milliseconds taken for seconds.
_E, _T = table(UsageEventRow), table(UsageTotalRow)

Groups = Mapping[str, BillingGroup]


class Became(StrEnum):
    """What became of one event that was sent."""

    CREATED = "created"
    LATE = "late"
    KNOWN = "known"
    REFUSED = "refused"


class Taken(BaseModel):
    """One event's answer. `period` is the month that bills it; `field`, `reason` and `next_step` say why it is refused.

    A `late` one counts, and its `reason` says why in another month than its own.
    """

    event_id: str
    status: Became
    period: str | None = None
    field: str = ""
    reason: str = ""
    next_step: str = ""

    @classmethod
    def refused(cls, event_id: str, error: BadInput) -> "Taken":
        return cls(
            event_id=event_id,
            status=Became.REFUSED,
            field=error.field,
            reason=error.cause,
            next_step=error.next_step,
        )


class Counted(NamedTuple):
    """One event as it is stored."""

    event_id: str
    subscription_id: str
    meter: str
    quantity: int
    at: datetime
    used_in: str
    billed_in: str

    @property
    def sum(self) -> Sum:
        return Sum(self.subscription_id, self.billed_in, self.meter)


@dataclass(frozen=True)
class Standing:
    """What holds while events are taken, brought up to date with each that is counted."""

    subscriptions: Mapping[str, Subscription]
    groups: Groups
    at: datetime
    counted: dict[str, Counted]
    closed: Collection[tuple[str, str]]
    totals: Counter[Sum]


async def take(
    s: AsyncSession, events: Sequence[UsageEvent], groups: Groups, at: datetime
) -> tuple[list[Taken], list[str]]:
    """What becomes of each event, in their order, and the keys of the overage invoices that come of them.

    All of it is written in the transaction of `s`, the overages' intents too: a crash leaves all or nothing, and the
    dispatcher's sweep starts what is registered. `at` is now; an event from the future is refused.
    """
    standing = await _standing(s, events, groups, at)
    fresh: dict[str, Counted] = {}
    answers = [_answer(standing, event, fresh) for event in events]
    elsewhere = await _store(s, fresh)
    for event_id in elsewhere:
        standing.totals[fresh[event_id].sum] -= fresh.pop(event_id).quantity
    answers = [
        _again(elsewhere[event.event_id], event) if event.event_id in elsewhere else answer
        for event, answer in zip(events, answers, strict=True)
    ]
    await _add(s, fresh.values())
    sums = {one.sum: units(standing.totals[one.sum]) for one in fresh.values()}
    return answers, await find_overages(s, standing.subscriptions, sums, standing.at)


async def _standing(s: AsyncSession, events: Sequence[UsageEvent], groups: Groups, at: datetime) -> Standing:
    ids = {event.subscription_id for event in events}
    subscriptions = await locked(s, ids)
    since = month_of((min(event.at for event in events) - AHEAD).date())
    totals = (
        select(_T.c.subscription_id, _T.c.billed_in, _T.c.meter, func.sum(_T.c.quantity).label("quantity"))
        .where(_T.c.subscription_id.in_(ids), _T.c.billed_in >= since)
        .group_by(_T.c.subscription_id, _T.c.billed_in, _T.c.meter)
    )
    sums = {Sum(*row[:3]): int(row.quantity) for row in await s.execute(totals)}
    return Standing(
        subscriptions=subscriptions,
        groups=groups,
        at=at,
        counted=await _counted(s, [event.event_id for event in events]),
        closed=await closed(s, ids, since),
        totals=Counter(sums),
    )


async def _counted(s: AsyncSession, event_ids: Collection[str]) -> dict[str, Counted]:
    query = select(*(_E.c[name] for name in Counted._fields)).where(_E.c.event_id.in_(event_ids))
    return {row.event_id: Counted(*row) for row in await s.execute(query)}


def _answer(standing: Standing, event: UsageEvent, fresh: dict[str, Counted]) -> Taken:
    """What becomes of one event; what is to be counted is put into `fresh`."""
    known = standing.counted.get(event.event_id)
    if known is not None:
        return _again(known, event)
    try:
        counted = _placed(standing, event)
    except BadInput as error:
        return Taken.refused(event.event_id, error)
    standing.counted[event.event_id] = fresh[event.event_id] = counted
    standing.totals[counted.sum] += counted.quantity
    if counted.billed_in == counted.used_in:
        return Taken(event_id=event.event_id, status=Became.CREATED, period=counted.billed_in)
    words = f"{counted.used_in} is closed; {counted.billed_in} bills it, with a note"
    return Taken(event_id=event.event_id, status=Became.LATE, period=counted.billed_in, reason=words)


def _again(known: Counted, event: UsageEvent) -> Taken:
    """An event id that is counted already: the same event, or a mistake."""
    said = (event.subscription_id, event.meter, event.stored_quantity, event.at)
    if said == (known.subscription_id, known.meter, known.quantity, known.at):
        return Taken(event_id=event.event_id, status=Became.KNOWN, period=known.billed_in)
    words = f"it is counted already, as {spelled(units(known.quantity))} of {known.meter} of {known.subscription_id}"
    step = "send what was used besides under an event id of its own"
    return Taken.refused(event.event_id, BadInput("event_id", f"{words} at {known.at.isoformat()}", step))


def _placed(standing: Standing, event: UsageEvent) -> Counted:
    """The event with the months it belongs to. Raises BadInput for one that nothing can bill."""
    subscription = standing.subscriptions.get(event.subscription_id)
    if subscription is None:
        step = f"create it: PUT /subscriptions/{event.subscription_id}"
        raise BadInput("subscription_id", f"no subscription {event.subscription_id!r}", step)
    if subscription.charge(event.meter) is None:
        meters = ", ".join(charge.meter for charge in subscription.charges)
        step = f"send one of those, or add it to the plan: PUT /subscriptions/{subscription.id}"
        raise BadInput("meter", f"the plan of {subscription.id} has no {event.meter!r}; it has {meters}", step)
    used_in = _month(standing, subscription, event.at)
    billed_in = open_month(used_in, subscription.id, standing.closed)
    counted = Counted(event.event_id, subscription.id, event.meter, event.stored_quantity, event.at, used_in, billed_in)
    if standing.totals[counted.sum] + counted.quantity > MOST_STORED:
        most = spelled(units(MOST_STORED))
        raise BadInput("quantity", f"{event.meter} in {billed_in} would pass {most}", "count it in a larger unit")
    return counted


def _month(standing: Standing, subscription: Subscription, at: datetime) -> str:
    """The month of the group's calendar that `at` lies in. Raises BadInput for a day that is not the subscription's."""
    if at > standing.at + AHEAD:
        raise BadInput("at", f"{at.isoformat()} is yet to come", "send what was used, when it was used")
    group = standing.groups.get(subscription.billing_group)
    if group is None:
        name = subscription.billing_group
        raise BadInput("billing_group", f"motions.toml has no {name!r}", f'add [[billing_groups]] name = "{name}"')
    day = group.day_of(at)
    if not subscription.has_day(day):
        span = f"{subscription.started_on} to {subscription.ended_on or 'now'}"
        step = f"send a day of it, or change its days: PUT /subscriptions/{subscription.id}"
        raise BadInput("at", f"{day} in {group.zone} is no day of {subscription.id}, which runs from {span}", step)
    return month_of(day)


async def _store(s: AsyncSession, fresh: Mapping[str, Counted]) -> dict[str, Counted]:
    """Store them. Those that somebody else stored first, under another subscription: as they stand there.

    In one order, so that two who send the same events do not wait for each other in a circle.
    """
    if not fresh:
        return {}
    told_at = now()
    rows = [{**fresh[event_id]._asdict(), "told_at": told_at} for event_id in sorted(fresh)]
    statement = insert(s, UsageEventRow).on_conflict_do_nothing().returning(_E.c.event_id)
    stored = set((await s.execute(statement, rows)).scalars())
    return await _counted(s, fresh.keys() - stored) if len(stored) < len(fresh) else {}


async def _add(s: AsyncSession, counted: Collection[Counted]) -> None:
    sums: Counter[tuple[Sum, str]] = Counter()
    for one in counted:
        sums[one.sum, one.used_in] += one.quantity
    rows = [{**key._asdict(), "used_in": used_in, "quantity": sums[key, used_in]} for key, used_in in sorted(sums)]
    if rows:
        statement = insert(s, UsageTotalRow)
        added = {"quantity": _T.c.quantity + statement.excluded.quantity}
        place = ["subscription_id", "billed_in", "meter", "used_in"]
        await s.execute(statement.on_conflict_do_update(index_elements=place, set_=added), rows)
