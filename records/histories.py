"""What the policy knows of many customers at once, and for whom something carries forward: for plans of whole runs.

The same answers as `customers.history` and `customers.carry_forward` give one by one, which invoices themselves ask;
tests hold the two against each other.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.assessment import History, Segment
from billing.intent import Motion
from billing.ownership import RECIPIENT_FIELDS, Carry
from billing.plans import Subscription
from billing.record import Status
from records import customers
from records.sql import table
from records.tables import CaseRow, Customer, IntentRow, InvoiceRow, RecipientField

_C, _F, _N, _I, _K = table(Customer), table(RecipientField), table(IntentRow), table(InvoiceRow), table(CaseRow)


async def of(s: AsyncSession, subscriptions: Collection[Subscription], most: int) -> dict[str, History]:
    """By subscription, for an invoice that is not registered yet; of its usage invoices the last `most`."""
    ids = {one.customer_id for one in subscriptions}
    segments, issued = await _segments(s, ids), await _issued(s, ids)
    asked, usage = await _asked(s, ids), await _usage(s, subscriptions, most)
    return {
        one.id: History(
            invoices_issued=issued.get(one.customer_id, 0),
            change_requests=tuple(asked.get(one.customer_id, ())),
            segment=segments.get(one.customer_id, Segment.STANDARD),
            usage_minor=tuple(usage.get((one.customer_id, one.id, one.currency), ())),
        )
        for one in subscriptions
    }


async def _segments(s: AsyncSession, ids: Collection[str]) -> dict[str, Segment]:
    rows = await s.execute(select(_C.c.id, _C.c.segment).where(_C.c.id.in_(ids)))
    return {row.id: Segment(row.segment) for row in rows}


async def _issued(s: AsyncSession, ids: Collection[str]) -> dict[str, int]:
    query = (
        select(_N.c.customer_id, func.count().label("issued"))
        .select_from(_N.join(_I))
        .where(_N.c.customer_id.in_(ids), _I.c.issued.is_(True))
        .group_by(_N.c.customer_id)
    )
    return {row.customer_id: row.issued for row in await s.execute(query)}


async def _asked(s: AsyncSession, ids: Collection[str]) -> dict[str, list[datetime]]:
    query = select(_N.c.customer_id, _K.c.opened_at).select_from(_N.join(_K)).where(_N.c.customer_id.in_(ids))
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in await s.execute(query.order_by(_K.c.opened_at)):
        found[row.customer_id].append(row.opened_at)
    return found


async def _usage(
    s: AsyncSession, subscriptions: Collection[Subscription], most: int
) -> dict[tuple[str, str, str], list[int]]:
    """By customer, subscription and currency, the newest first."""
    place = (_N.c.customer_id, _N.c.scope, _I.c.currency)
    rank = func.row_number().over(partition_by=place, order_by=(_N.c.created_at.desc(), _N.c.key.desc()))
    ranked = (
        select(*place, _I.c.total_minor, rank.label("rank"))
        .select_from(_N.join(_I))
        .where(_N.c.scope.in_([one.id for one in subscriptions]), _N.c.motion == Motion.USAGE.value)
        .where(_I.c.issued.is_(True), _I.c.status != Status.CANCELLED.value)
        .subquery()
    )
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row in await s.execute(select(ranked).where(ranked.c.rank <= most).order_by(ranked.c.rank)):
        found[row.customer_id, row.scope, row.currency].append(row.total_minor)
    return found


async def carrying(s: AsyncSession, subscriptions: Collection[Subscription], carry: Carry) -> set[str]:
    """The subscriptions whose next draft is patched with what earlier recipients gave."""
    ids, names = {one.customer_id for one in subscriptions}, {one.id for one in subscriptions}
    query = select(_F.c.customer_id, _F.c.scope, _F.c.field, _F.c.value).where(
        _F.c.customer_id.in_(ids), _F.c.scope.in_({*names, ""}), _F.c.field.in_(RECIPIENT_FIELDS)
    )
    given: dict[str, dict[tuple[str, str], object]] = defaultdict(dict)
    for row in await s.execute(query):
        given[row.customer_id][row.scope, row.field] = row.value
    return {one.id for one in subscriptions if customers.carried(given[one.customer_id], one.id, carry)}
