"""What people are told of a run: its record, and its invoices as they stand now."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.run_plan import SHOWN, Named, Reasoned, Several
from billing.run_status import ON_THE_WAY, EarlierRun, Outcome, RunStatus
from records.run_tables import EarlierRunRow, UsageRunOutcomeRow, UsageRunRow
from records.sql import table
from records.tables import IntentRow, InvoiceRow
from records.usage_tables import SubscriptionRow

_R, _E, _O = table(UsageRunRow), table(EarlierRunRow), table(UsageRunOutcomeRow)
_N, _I, _S = table(IntentRow), table(InvoiceRow), table(SubscriptionRow)
NOT_BEGUN: Final = "not_begun"
"""An invoice before its first step, beside the words of billing/record.py."""


async def status(s: AsyncSession, group: str, period: str, at: datetime) -> RunStatus | None:
    """None where the month was never run."""
    row = (await s.execute(select(_R).where(_R.c.billing_group == group, _R.c.period == period))).mappings().first()
    return None if row is None else await _told(s, row, at)


async def latest(s: AsyncSession, at: datetime, limit: int = 50) -> list[RunStatus]:
    """The last runs of all groups, the newest first."""
    query = select(_R).order_by(_R.c.started_at.desc(), _R.c.billing_group).limit(limit)
    return [await _told(s, row, at) for row in (await s.execute(query)).mappings().all()]


async def _told(s: AsyncSession, row: RowMapping, at: datetime) -> RunStatus:
    invoices = await _invoices(s, row)
    statuses: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for one in invoices:
        statuses[one["status"] or NOT_BEGUN] += one["count"]
        totals[one["currency"]] += int(one["total"])
    on_the_way = sum(statuses[name] for name in (NOT_BEGUN, *ON_THE_WAY))
    return RunStatus(
        group=row["billing_group"],
        at=at,
        **{name: row[name] for name in ("period", "started_by", "started_at", "told_at", "finished_at")},
        **{name: row[name] for name in ("expected", "read", "pages")},
        billed=sum(statuses.values()),
        standing=sum(int(one["standing"]) for one in invoices),
        started=sum(int(one["started"]) for one in invoices),
        on_the_way=on_the_way,
        statuses={name: count for name, count in sorted(statuses.items()) if count},
        total_minor=dict(sorted(totals.items())),
        skipped=await _skipped(s, row),
        refused=await _refused(s, row),
        held_seconds=row["held_ms"] / 1000,
        earlier=await _earlier(s, row),
    )


async def _earlier(s: AsyncSession, row: RowMapping) -> tuple[EarlierRun, ...]:
    columns = [_E.c[name] for name in EarlierRun.model_fields]
    query = select(*columns).where(_E.c.billing_group == row["billing_group"], _E.c.period == row["period"])
    found = await s.execute(query.order_by(_E.c.started_at, _E.c.run_id))
    return tuple(EarlierRun.model_validate(dict(one)) for one in found.mappings())


async def _invoices(s: AsyncSession, row: RowMapping) -> list[RowMapping]:
    """By status and currency: how many, what was built, how many are started, how many stood before this run."""
    columns = (
        _I.c.status,
        _N.c.currency,
        func.count().label("count"),
        func.sum(_N.c.total_minor).label("total"),
        func.count(_N.c.started_at).label("started"),
        func.sum(case((_N.c.created_at < row["started_at"], 1), else_=0)).label("standing"),
    )
    query = (
        select(*columns)
        .select_from(_O.join(_N, _N.c.key == _O.c.key).outerjoin(_I, _I.c.key == _O.c.key))
        .where(*_with(row, Outcome.BILLED))
        .group_by(_I.c.status, _N.c.currency)
    )
    return list((await s.execute(query)).mappings())


def _with(row: RowMapping, outcome: Outcome) -> tuple[Any, ...]:
    return _O.c.billing_group == row["billing_group"], _O.c.period == row["period"], _O.c.outcome == outcome.value


async def _skipped(s: AsyncSession, row: RowMapping) -> tuple[Reasoned, ...]:
    """The commonest reason first."""
    count, example = func.count().label("n"), func.min(_O.c.subscription_id).label("example")
    query = select(_O.c.reason, count, example).where(*_with(row, Outcome.SKIPPED)).group_by(_O.c.reason)
    found = (await s.execute(query.order_by(count.desc(), _O.c.reason))).all()
    return tuple(Reasoned(reason=one.reason, count=one.n, for_example=one.example) for one in found)


async def _refused(s: AsyncSession, row: RowMapping) -> Several:
    where = _with(row, Outcome.REFUSED)
    count = (await s.execute(select(func.count()).select_from(_O).where(*where))).scalar_one()
    query = (
        select(_O.c.subscription_id, _S.c.customer_id, _O.c.reason)
        .select_from(_O.join(_S, _S.c.id == _O.c.subscription_id))
        .where(*where)
        .order_by(_O.c.subscription_id)
        .limit(SHOWN)
    )
    named = [
        Named(subscription_id=one.subscription_id, customer_id=one.customer_id, text=one.reason)
        for one in await s.execute(query)
    ]
    return Several(count=count, named=tuple(named))
