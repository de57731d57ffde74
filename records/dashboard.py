"""What a desk draws: how far invoices have come, how long each stretch takes, who needed a person and why, cases.

Aggregates alone, taken in the database over the invoices that were triggered in a stretch of time, so that the cost
follows what is asked for and not all there ever was. Days and weeks are those of UTC; a week begins on Monday.
Percentiles are by nearest rank: each is a duration that some invoice really took.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Integer, Select, String, and_, case, cast, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import CTE, Subquery

from billing.events import EventType
from billing.record import Status
from records.periods import day_of, reason_rules, seconds_between, week_of
from records.sql import table
from records.tables import AssessmentRow, CaseRow, EntryRow, IntentRow, InvoiceRow

MOST_DAYS: Final = 400
# A year, and the month to compare it with.
_N, _I, _E, _A, _K = (table(one) for one in (IntentRow, InvoiceRow, EntryRow, AssessmentRow, CaseRow))
_DAY: Final = timedelta(days=1)
_UNBILLED: Final = (Status.REJECTED.value, Status.CANCELLED.value)
_LEGS: Final = (("triggered", "sent"), ("sent", "viewed"), ("viewed", "approved"), ("triggered", "approved"))


class Day(BaseModel):
    """The invoices of the stretch at the end of one day, by how far they had come. `waiting` was not sent yet."""

    day: date
    waiting: int = 0
    sent: int = 0
    viewed: int = 0
    approved: int = 0
    unbilled: int = 0


class Stretch(BaseModel):
    """How long `count` invoices triggered in one week took from `begins` to `ends`, in seconds."""

    week: date
    begins: str
    ends: str
    count: int
    p50_s: int
    p90_s: int


class Humans(BaseModel):
    """Of `assessed` invoices, how many needed a person; and for which rule, one invoice perhaps for several."""

    assessed: int
    needed: int
    by_rule: dict[str, int]

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.needed / self.assessed if self.assessed else 0.0


class Deadlines(BaseModel):
    """Change requests against their deadlines. `breached` is open and past it; `withdrawn` needed no answer."""

    in_time: int = 0
    late: int = 0
    open: int = 0
    breached: int = 0
    withdrawn: int = 0


async def standing(s: AsyncSession) -> dict[str, int]:
    """How many invoices are in each state now; one that its workflow has not told of yet is drafting."""
    states = select(func.coalesce(_I.c.status, Status.DRAFTING.value).label("state")).select_from(_N.outerjoin(_I))
    return await _counted(s, states.subquery())


async def by_day(s: AsyncSession, until: datetime, days: int) -> list[Day]:
    """The invoices triggered in the `days` days up to that of `until`, as they stood at the end of each."""
    last = until.astimezone(UTC).date()
    first = last - (_bounded(days) - 1) * _DAY
    moments = _moments(first, last + _DAY)
    taken = union_all(*_steps(s, moments)).subquery("steps")
    query = select(taken.c.stage, taken.c.day, func.sum(taken.c.by)).group_by(taken.c.stage, taken.c.day)
    changes: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for stage, day, by in await s.execute(query):
        changes[date.fromisoformat(day)][stage] += int(by)
    return _summed(first, last, changes)


async def durations(s: AsyncSession, until: datetime, weeks: int) -> list[Stretch]:
    """Per week of the trigger, up to that of `until`: to sent, on to viewed, on to approved, and all of the way."""
    monday = _monday(until)
    moments = _moments(monday - (_bounded(7 * weeks) // 7 - 1) * 7 * _DAY, monday + 7 * _DAY)
    took = union_all(*(_leg(s, moments, leg) for leg in range(len(_LEGS)))).subquery("took")
    rows = (await s.execute(_percentiles(took))).all()
    return [
        Stretch(
            week=date.fromisoformat(row.week),
            begins=_LEGS[row.leg][0],
            ends=_LEGS[row.leg][1],
            count=row.counted,
            p50_s=row.p50,
            p90_s=row.p90,
        )
        for row in rows
    ]


async def humans(s: AsyncSession, since: datetime, until: datetime) -> Humans:
    """Of the invoices triggered from `since` to before `until`. One counts if any of its revisions needed a person."""
    triggered = (_N.c.created_at >= since, _N.c.created_at < until)
    mine = select(_A.c.key, _A.c.body).join(_N, _N.c.key == _A.c.key).where(*triggered).cte("assessed")
    asked = case((mine.c.body["automatic"].as_boolean(), None), else_=mine.c.key)
    assessed, needed = (await s.execute(select(func.count(mine.c.key.distinct()), func.count(asked.distinct())))).one()
    named = reason_rules(s, mine).distinct().subquery("named")
    return Humans(assessed=assessed, needed=needed, by_rule=await _counted(s, named, "rule"))


async def deadlines(s: AsyncSession, since: datetime, at: datetime) -> Deadlines:
    """Of the change requests opened from `since` on, as of `at`."""
    overdue = or_(_K.c.breached_at.is_not(None), _K.c.deadline < at)
    too_late = or_(_K.c.resolved_at > _K.c.deadline, and_(_K.c.resolved_at.is_(None), _K.c.breached_at.is_not(None)))
    how = case(
        (and_(_K.c.status == "open", overdue), "breached"),
        (_K.c.status == "open", "open"),
        (_K.c.status.not_in(["accepted", "declined"]), "withdrawn"),
        (too_late, "late"),
        else_="in_time",
    )
    return Deadlines(**await _counted(s, select(how.label("state")).where(_K.c.opened_at >= since).subquery()))


async def _counted(s: AsyncSession, of: Subquery, name: str = "state") -> dict[str, int]:
    found = of.c[name]
    rows = await s.execute(select(found, func.count()).group_by(found).order_by(found))
    return {str(value): int(count) for value, count in rows}


def _moments(first: date, before: date) -> CTE:
    """Per invoice triggered from `first` on when it was triggered, sent, viewed, approved, ended without billing."""
    viewed, approved = (one.value.removeprefix("invoice.") for one in (EventType.VIEWED, EventType.APPROVED))
    mine = literal(f"{approved} V").concat(cast(_I.c.version, String))
    lines = and_(_E.c.key == _N.c.key, _E.c.kind.in_(["issued", "event", "withdrawn"]))
    withdrawn = func.coalesce(_first(_E.c.kind == "withdrawn"), _I.c.updated_at)
    return (
        select(
            _N.c.created_at.label("triggered"),
            _first(_E.c.kind == "issued").label("sent"),
            _first(_E.c.kind == "event", _E.c.text.startswith(f"{viewed} V")).label("viewed"),
            # Of the version that stands: an approval of an earlier one may have been overtaken.
            _first(_E.c.kind == "event", or_(_E.c.text == mine, _E.c.text.startswith(mine + " "))).label("approved"),
            case((_I.c.status.in_(_UNBILLED), withdrawn)).label("unbilled"),
        )
        .select_from(_N.outerjoin(_I).outerjoin(_E, lines))
        .where(_N.c.created_at >= _midnight(first), _N.c.created_at < _midnight(before))
        .group_by(_N.c.key, _N.c.created_at, _I.c.version, _I.c.status, _I.c.updated_at)
        .cte("moments")
    )


def _first(*which: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.min(case((and_(*which), _E.c.at)))


def _steps(s: AsyncSession, moments: CTE) -> Iterator[Select[Any]]:
    """Each stage with the day on which an invoice comes into it (+1) or leaves it (-1); a stage may be skipped."""
    triggered, *others = moments.c
    reached = {"waiting": triggered, **dict(zip(("sent", "viewed", "approved", "unbilled"), others, strict=True))}
    for place, (stage, begins) in enumerate(reached.items()):
        yield _step(s, stage, begins, begins, 1)
        later = others[place:]
        if later:
            yield _step(s, stage, begins, func.coalesce(*later) if len(later) > 1 else later[0], -1)


def _step(s: AsyncSession, stage: str, begins: ColumnElement[Any], at: ColumnElement[Any], by: int) -> Select[Any]:
    columns: list[Any] = [literal(stage).label("stage"), day_of(s, at).label("day"), literal(by).label("by")]
    return select(*columns).where(begins.is_not(None), at.is_not(None))


def _summed(first: date, last: date, changes: Mapping[date, Counter[str]]) -> list[Day]:
    """What each day's changes add up to. An event is dated by another clock than ours, hence no less than none."""
    found, sums = [], Counter[str]()
    for number in range((last - first).days + 1):
        day = first + number * _DAY
        sums.update(changes.get(day, Counter()))
        found.append(Day(day=day, **{stage: max(0, count) for stage, count in sums.items()}))
    return found


def _leg(s: AsyncSession, moments: CTE, leg: int) -> Select[Any]:
    begins, ends = (moments.c[name] for name in _LEGS[leg])
    took = seconds_between(s, begins, ends)
    columns: list[Any] = [
        week_of(s, moments.c.triggered).label("week"),
        literal(leg).label("leg"),
        cast(func.round(case((took < 0, 0), else_=took)), Integer).label("took"),
    ]
    return select(*columns).where(begins.is_not(None), ends.is_not(None))


def _percentiles(took: Subquery) -> Select[Any]:
    """By nearest rank: the smallest duration that p of a hundred did not exceed."""
    group = (took.c.week, took.c.leg)
    place = func.row_number().over(partition_by=group, order_by=took.c.took).label("place")
    counted = func.count().over(partition_by=group).label("counted")
    ranked = select(took, place, counted).subquery("ranked")

    def at(percent: int) -> ColumnElement[Any]:
        rank = (ranked.c.counted * percent + 99) // 100
        return func.max(case((ranked.c.place == rank, ranked.c.took))).label(f"p{percent}")

    of = (ranked.c.week, ranked.c.leg)
    counts = func.max(ranked.c.counted).label("counted")
    found: Select[Any] = select(*of, counts, at(50), at(90)).group_by(*of).order_by(*of)
    return found


def _bounded(days: int) -> int:
    return max(1, min(days, MOST_DAYS))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _monday(at: datetime) -> date:
    day = at.astimezone(UTC).date()
    return day - day.weekday() * _DAY
