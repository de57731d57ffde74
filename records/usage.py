"""What a month bills: usage summed up by the database, and the months that are closed.

**The contract of a monthly run.** For each page of `subscriptions.active_page`, in one transaction: `close` the month,
then read it by `used` and build by `billing.usage.bill`, and register what comes out. Closing waits for whoever is
counting an event of these subscriptions and makes whoever comes later find the month closed, so an event is either in
what `used` answers, or goes into the next open month with a note on that month's line; none is in both and none is
lost. A closed month never changes, so a run that is repeated, or killed between closing and registering, builds the
same lines; only a plan that was changed meanwhile would build others, so skip the keys that `intents.known` names.
To show a month before it is run, read and build without closing.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.groups import first_day, month_after
from billing.intent import Intent
from billing.metering import units
from billing.plans import Subscription
from billing.usage import Metered, Skipped, bill
from records import overages
from records.sql import insert, now, table
from records.subscriptions import locked
from records.usage_tables import UsageClosingRow, UsageTotalRow

_T, _X = table(UsageTotalRow), table(UsageClosingRow)

Used = Mapping[str, Mapping[str, Metered]]
"""What a month bills, by subscription and meter."""


async def close(s: AsyncSession, subscription_ids: Collection[str], period: str) -> None:
    """From this transaction's end on these take no more usage into `period`. Closing again changes nothing.

    Raises BadInput on a period that is none.
    """
    first_day(period)
    held = await locked(s, subscription_ids)
    rows = [{"subscription_id": one, "period": period, "closed_at": now()} for one in held]
    if rows:
        await overages.forget_given_up(s, list(held), period)
        await s.execute(insert(s, UsageClosingRow).values(rows).on_conflict_do_nothing())


async def used(s: AsyncSession, subscription_ids: Collection[str], period: str) -> Used:
    """What `period` bills of these: all that was used, what of it came late, what overages have billed."""
    totals = (
        select(_T.c.subscription_id, _T.c.meter, _T.c.used_in, func.sum(_T.c.quantity).label("quantity"))
        .where(_T.c.subscription_id.in_(subscription_ids), _T.c.billed_in == period)
        .group_by(_T.c.subscription_id, _T.c.meter, _T.c.used_in)
    )
    found: dict[str, dict[str, list[RowMapping]]] = defaultdict(lambda: defaultdict(list))
    for row in (await s.execute(totals)).mappings():
        found[row["subscription_id"]][row["meter"]].append(row)
    billed = await overages.billed(s, subscription_ids, period)
    return {
        one: {meter: _metered(rows, billed.get((one, meter), 0), period) for meter, rows in meters.items()}
        for one, meters in found.items()
    }


def _metered(rows: Collection[Any], as_overage: int, period: str) -> Metered:
    return Metered(
        used=units(sum(int(row["quantity"]) for row in rows)),
        late={row["used_in"]: units(int(row["quantity"])) for row in rows if row["used_in"] != period},
        as_overage=units(as_overage),
    )


async def build(
    s: AsyncSession, subscriptions: Collection[Subscription], period: str, occurred_at: datetime
) -> list[Intent | Skipped]:
    """The month's invoice of each, in their order, or why it has none. Closed or not; see the contract above.

    Raises BadInput where one's total is too large to bill.
    """
    found = await used(s, [one.id for one in subscriptions], period)
    return [bill(one, period, found.get(one.id, {}), occurred_at) for one in subscriptions]


async def closed(s: AsyncSession, subscription_ids: Collection[str], since: str) -> set[tuple[str, str]]:
    """Which of their months from `since` on are closed."""
    query = select(_X.c.subscription_id, _X.c.period).where(
        _X.c.subscription_id.in_(subscription_ids), _X.c.period >= since
    )
    return {(row.subscription_id, row.period) for row in await s.execute(query)}


def open_month(period: str, subscription_id: str, closed: Collection[tuple[str, str]]) -> str:
    """`period`, or the first one after it that is not among the closed ones."""
    while (subscription_id, period) in closed:
        period = month_after(period)
    return period
