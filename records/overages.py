"""Overages: found by whoever counts the unit that passes the included ones, registered in the same transaction, once.

What was billed so is written beside it, in units; the month's own invoice begins with the unit after those.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import delete, exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from billing.errors import BadInput, KeyTaken
from billing.intent import Intent
from billing.keys import overage_key
from billing.metering import DECIMALS
from billing.plans import Overage, Subscription
from billing.usage import has_passed, over_included, overage
from records import intents
from records.sql import insert, now, table
from records.usage_tables import UsageClosingRow, UsageOverageRow

_O, _X = table(UsageOverageRow), table(UsageClosingRow)


class Sum(NamedTuple):
    """Which total: of a subscription's meter, in the month that bills it."""

    subscription_id: str
    billed_in: str
    meter: str


class Due(NamedTuple):
    """An overage invoice that these totals come to, and how many units it bills."""

    place: Sum
    over: Decimal
    intent: Intent


async def find_overages(
    s: AsyncSession, subscriptions: Mapping[str, Subscription], sums: Mapping[Sum, Decimal], at: datetime
) -> list[str]:
    """Register what has come to be due by these totals; its keys. The caller holds the subscriptions locked."""
    found = [_due(subscriptions[place.subscription_id], place, used, at) for place, used in sorted(sums.items())]
    due = [one for one in found if one is not None]
    if not due:
        return []
    places = (_O.c.subscription_id, _O.c.period, _O.c.meter)
    query = select(*places).where(tuple_(*places).in_([tuple(one.place) for one in due]))
    billed = {Sum(*row) for row in await s.execute(query)}
    return [one.intent.key for one in due if one.place not in billed and await _register(s, one)]


def _due(subscription: Subscription, place: Sum, used: Decimal, at: datetime) -> Due | None:
    charge = subscription.charge(place.meter)
    if charge is None or charge.overage is not Overage.INVOICE or not has_passed(charge, used):
        return None
    over = over_included(charge, used)
    try:
        intent = overage(subscription, charge, place.billed_in, over, at)
    except BadInput:
        # Too large to be billed by itself: no reason to lose what was used. The run meets it again, and says so.
        return None
    return None if intent is None else Due(place, over, intent)


async def billed(s: AsyncSession, subscription_ids: Collection[str], period: str) -> dict[tuple[str, str], int]:
    """What overages bill of these in `period`, stored units by subscription and meter.

    What one bills that was rejected or cancelled while the month was open, the month bills itself.
    """
    query = select(_O).where(_O.c.subscription_id.in_(subscription_ids), _O.c.period == period)
    found = {(row["subscription_id"], row["meter"]): row["quantity"] for row in (await s.execute(query)).mappings()}
    for place in await _given_up(s, subscription_ids, period):
        del found[place.subscription_id, place.meter]
    return found


async def forget_given_up(s: AsyncSession, subscription_ids: Collection[str], period: str) -> None:
    """What bills nothing of a month that closes now: from then on it stays as it is. The caller holds these locked."""
    for place in await _given_up(s, subscription_ids, period):
        await s.execute(
            delete(_O).where(
                _O.c.subscription_id == place.subscription_id, _O.c.period == period, _O.c.meter == place.meter
            )
        )


async def _given_up(s: AsyncSession, subscription_ids: Collection[str], period: str) -> list[Sum]:
    """Those of an open month whose invoice was rejected or cancelled."""
    is_closed = exists().where(_X.c.subscription_id == _O.c.subscription_id, _X.c.period == _O.c.period)
    query = select(_O.c.subscription_id, _O.c.period, _O.c.meter).where(
        _O.c.subscription_id.in_(subscription_ids), _O.c.period == period, ~is_closed
    )
    by_key = {overage_key(*row): Sum(*row) for row in await s.execute(query)}
    fares = await intents.standing(s, by_key) if by_key else {}
    return [place for key, place in by_key.items() if key in fares and not fares[key].counts]


async def _register(s: AsyncSession, due: Due) -> bool:
    """False if somebody has triggered it by hand before; then the units that he billed are the ones that count.

    What stands under its key and is none of this subscription's billing counts for nothing: the month bills it all.
    """
    over = due.over
    try:
        is_new = await intents.register(s, due.intent)
    except KeyTaken:
        is_new = False
        by_hand = await intents.get_intent(s, due.intent.key)
        if by_hand is None or _bills(by_hand) != _bills(due.intent):
            return False
        over = by_hand.commercial.lines[0].quantity
    values = {
        "subscription_id": due.place.subscription_id,
        "period": due.place.billed_in,
        "meter": due.place.meter,
        "quantity": int(over.scaleb(DECIMALS)),
        "found_at": now(),
    }
    await s.execute(insert(s, UsageOverageRow).values(values).on_conflict_do_nothing())
    return is_new


def _bills(intent: Intent) -> tuple[str, str, str]:
    return intent.motion.value, intent.customer_id, intent.commercial.currency
