"""What the policy knows of customers, and for whom something carries forward: for one invoice, or for a run's plan.

One reading serves both, so that a plan says of each invoice what the invoice itself will be told.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from billing import keys
from billing.assessment import History, Segment
from billing.intent import Motion
from billing.ownership import RECIPIENT_FIELDS, Carry
from billing.plans import Subscription
from billing.record import Status
from records import customers
from records.sql import table
from records.tables import CaseRow, Customer, IntentRow, InvoiceRow, RecipientField

_C, _F, _N, _I, _K = table(Customer), table(RecipientField), table(IntentRow), table(InvoiceRow), table(CaseRow)


_REMEMBERED_USAGE: Final = 36
# As many as a policy can look back: three years of months.


class Subject(NamedTuple):
    """Of what the policy asks: a customer, and the subscription whose usage invoices in one currency are looked up."""

    customer_id: str
    scope: str
    currency: str


async def history(
    s: AsyncSession, customer_id: str, *, excluding: str | None = None, scope: str = "", currency: str = ""
) -> History:
    """What the policy knows of a customer; `excluding` is the invoice being assessed. An unknown one is standard.

    `scope` and `currency` name the subscription whose last usage invoices are looked up: those of months before the
    one that `excluding` bills, so that a month which is billed late is judged by what came before it.
    """
    subject, before = Subject(customer_id, scope, currency), keys.usage_period(excluding or "")
    return (await _histories(s, [subject], _REMEMBERED_USAGE, excluding=excluding or "", before=before))[subject]


async def of(s: AsyncSession, subscriptions: Collection[Subscription], most: int, period: str) -> dict[str, History]:
    """By subscription, for its invoice of `period`, which is not registered yet; of those of the months before, the
    last `most`."""
    subjects = {one.id: Subject(one.customer_id, one.id, one.currency) for one in subscriptions}
    found = await _histories(s, subjects.values(), most, before=period)
    return {name: found[subject] for name, subject in subjects.items()}


async def _histories(
    s: AsyncSession, subjects: Collection[Subject], most: int, *, before: str, excluding: str = ""
) -> dict[Subject, History]:
    """The invoice `excluding` does not count as issued, its change requests do: they are why its next version is
    looked at again. Of usage the months before `before`."""
    ids = {one.customer_id for one in subjects}
    heads, asked = await _heads(s, ids, excluding), await _asked(s, ids)
    usage = await _usage(s, {one.scope for one in subjects if one.scope}, most, before)
    return {
        one: History(
            **heads.get(one.customer_id, {}),
            change_requests=tuple(asked.get(one.customer_id, ())),
            usage_minor=tuple(usage.get(one, ())),
        )
        for one in subjects
    }


async def _heads(s: AsyncSession, ids: Collection[str], excluding: str) -> dict[str, dict[str, Any]]:
    """By customer the segment, the currency, and how many invoices were issued."""
    theirs = (_N.c.customer_id == _C.c.id) & (_N.c.key != excluding)
    issued = select(func.count()).select_from(_N.join(_I)).where(theirs, _I.c.issued.is_(True)).scalar_subquery()
    query = select(_C.c.id, _C.c.segment, _C.c.currency, issued.label("issued")).where(_C.c.id.in_(ids))
    return {
        row.id: {"segment": Segment(row.segment), "currency": row.currency, "invoices_issued": row.issued}
        for row in await s.execute(query)
    }


async def _asked(s: AsyncSession, ids: Collection[str]) -> dict[str, list[datetime]]:
    query = select(_N.c.customer_id, _K.c.opened_at).select_from(_N.join(_K)).where(_N.c.customer_id.in_(ids))
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in await s.execute(query.order_by(_K.c.opened_at)):
        found[row.customer_id].append(row.opened_at)
    return found


async def _usage(
    s: AsyncSession, scopes: Collection[str], most: int, before: str
) -> dict[tuple[str, str, str], list[int]]:
    """Totals by customer, scope and currency, the latest month first; all months where `before` is empty."""
    if not scopes:
        return {}
    place = (_N.c.customer_id, _N.c.scope, _I.c.currency)
    # Of usage invoices alone the key ends with a month; a month may be billed, or billed again, after later ones.
    month = func.substr(_N.c.key, func.length(_N.c.key) - len("2026-10") + 1)
    rank = func.row_number().over(partition_by=place, order_by=month.desc())
    ranked = (
        select(*place, _I.c.total_minor, rank.label("rank"))
        .select_from(_N.join(_I))
        .where(_N.c.scope.in_(scopes), _N.c.motion == Motion.USAGE.value, month < before if before else true())
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
