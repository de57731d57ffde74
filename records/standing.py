"""What waits, in numbers: for whoever watches a whole deployment. Asked again and again, so nothing ended is counted.

Each question follows an index and its cost the work that is open, however much there ever was. Billed, rejected and
cancelled invoices are therefore not among these; the steps that ended them are counted where they run.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.record import Fate, Status
from records.sql import table
from records.tables import AssessmentRow, CaseRow, EventRow, InvoiceRow

_I, _A, _K, _V = (table(one) for one in (InvoiceRow, AssessmentRow, CaseRow, EventRow))
_ENDED: Final = frozenset({Status.BILLED, Status.REJECTED, Status.CANCELLED})
OPEN: Final = tuple(status.value for status in Status if status not in _ENDED)
DEADLINES: Final = ("passed", "within_a_day", "later")
_SOON: Final = timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """As of one moment. Ages are in seconds, 0 where nothing waits."""

    invoices: dict[str, int] = field(default_factory=dict)
    approvals_overdue: int = 0
    approvals_oldest_s: float = 0
    cases: dict[str, int] = field(default_factory=dict)
    events_waiting: int = 0
    events_oldest_s: float = 0


async def read(s: AsyncSession, at: datetime) -> Standing:
    """Four questions. `events_oldest_s` is of those that are due: one that rests before its next try is not late."""
    counted = await _invoices(s)
    overdue, asked_at = await _approvals(s, at)
    waiting, received_at = await _events(s, at)
    return Standing(
        invoices={status: counted.get(status, 0) for status in OPEN},
        approvals_overdue=overdue,
        approvals_oldest_s=_age(asked_at, at),
        cases=await _cases(s, at),
        events_waiting=waiting,
        events_oldest_s=_age(received_at, at),
    )


def _age(since: datetime | None, at: datetime) -> float:
    return 0 if since is None else max(0.0, (at - since).total_seconds())


async def _invoices(s: AsyncSession) -> dict[str, int]:
    query = select(_I.c.status, func.count()).where(_I.c.status.in_(OPEN)).group_by(_I.c.status)
    return {str(status): int(count) for status, count in await s.execute(query)}


async def _approvals(s: AsyncSession, at: datetime) -> tuple[int, datetime | None]:
    """How many are past their time, and since when the longest waiting revision is."""
    late = func.coalesce(func.sum(case((_I.c.decide_by < at, 1), else_=0)), 0)
    mine = and_(_A.c.key == _I.c.key, _A.c.revision == _I.c.revision)
    query = select(late, func.min(_A.c.assessed_at)).select_from(_I.outerjoin(_A, mine))
    overdue, since = (await s.execute(query.where(_I.c.status == Status.AWAITING_APPROVAL.value))).one()
    return int(overdue), since


async def _cases(s: AsyncSession, at: datetime) -> dict[str, int]:
    deadline = case((_K.c.deadline < at, DEADLINES[0]), (_K.c.deadline < at + _SOON, DEADLINES[1]), else_=DEADLINES[2])
    named = select(deadline.label("due")).where(_K.c.status == "open").subquery()
    rows = await s.execute(select(named.c.due, func.count()).group_by(named.c.due))
    found = {str(due): int(count) for due, count in rows}
    return {due: found.get(due, 0) for due in DEADLINES}


async def _events(s: AsyncSession, at: datetime) -> tuple[int, datetime | None]:
    """A lane in which one event rests rests as a whole: records/events.py."""
    rests: Any = func.max(_V.c.next_attempt_at)
    oldest = case((or_(rests.is_(None), rests <= at), func.min(_V.c.received_at)))
    lanes = (
        select(func.count().label("events"), oldest.label("received_at"))
        .where(_V.c.fate == Fate.PENDING.value)
        .group_by(_V.c.lane)
        .subquery()
    )
    query = select(func.coalesce(func.sum(lanes.c.events), 0), func.min(lanes.c.received_at))
    waiting, since = (await s.execute(query)).one()
    return int(waiting), since
