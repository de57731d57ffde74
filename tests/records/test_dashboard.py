"""The desk's figures over a world that is known by heart, on both databases."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as on
from sqlalchemy import update

from billing.assessment import Assessment, Reason
from billing.record import CaseRecord, Entry, InvoiceRecord, Status
from records import dashboard, invoices
from records.dashboard import Day, Deadlines, Humans, Stretch
from records.intents import register
from records.session import Database
from records.sql import table
from records.tables import IntentRow
from tests.records.make import a_record, an_intent, with_customer

_MONDAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_N = table(IntentRow)


def _key(name: str) -> str:
    return f"invoice:p:{name}"


async def _invoice(
    db: Database, name: str, status: Status, triggered: datetime, *lines: tuple[str, str, timedelta], **changes: Any
) -> None:
    """`lines` are (kind, text, how long after the trigger)."""
    entries = tuple(
        Entry(number=number, at=triggered + after, kind=kind, actor="x", text=text)
        for number, (kind, text, after) in enumerate(lines, start=1)
    )
    await _told(db, a_record(1, status, key=_key(name), entries=entries, **changes), triggered)


async def _told(db: Database, record: InvoiceRecord, triggered: datetime) -> None:
    async with db.transaction() as s:
        await register(s, an_intent(record.key))
        await s.execute(update(_N).where(_N.c.key == record.key).values(created_at=triggered))
        await invoices.save_record(s, record)


@pytest.fixture
async def world(db: Database) -> Database:
    """Two weeks: what went through, what stopped on the way, what was thrown away."""
    await with_customer(db)
    seen, yes = "viewed V1", "approved V1"
    for number in range(10):
        took = number + 1
        await _invoice(
            db, f"through{number}", Status.BILLED, _MONDAY, ("issued", "V1 issued over 1", took * _HOUR),
            ("event", seen, took * _HOUR + _DAY), ("event", yes, took * _HOUR + 3 * _DAY),
        )  # fmt: skip
    await _invoice(db, "seen", Status.VIEWED, _MONDAY + _DAY, ("issued", "V1", _HOUR), ("event", seen, 2 * _HOUR))
    await _invoice(db, "new", Status.AWAITING_APPROVAL, _MONDAY + 7 * _DAY)
    # Approved as V1 after V2 was made: of V2, which stands, there is no approval.
    await _invoice(
        db, "stale", Status.SENT, _MONDAY + 7 * _DAY, ("issued", "V1", _HOUR), ("event", yes, 2 * _HOUR),
        ("event", "approved V20", 2 * _HOUR), version=2,
    )  # fmt: skip
    await _invoice(db, "thrown", Status.REJECTED, _MONDAY, ("withdrawn", "draft discarded", 2 * _DAY))
    await _invoice(db, "long ago", Status.BILLED, _MONDAY - 300 * _DAY, ("issued", "V1", _HOUR))
    return db


async def test_what_stands_now_is_counted_by_state(world: Database) -> None:
    async with world.transaction() as s:
        await register(s, an_intent(_key("untold")))
    async with world.session() as s:
        assert await dashboard.standing(s) == {
            "awaiting_approval": 1, "billed": 11, "drafting": 1, "rejected": 1, "sent": 1, "viewed": 1,
        }  # fmt: skip


async def test_each_day_shows_how_far_the_invoices_had_come_at_its_end(world: Database) -> None:
    async with world.session() as s:
        days = await dashboard.by_day(s, _MONDAY + 8 * _DAY, 10)
    assert [one.model_dump(exclude={"day"}) for one in days] == [
        Day(day=date(2026, 11, 1)).model_dump(exclude={"day"}),
        *(
            Day(day=date(2026, 11, 1), **counts).model_dump(exclude={"day"})
            for counts in (
                {"waiting": 1, "sent": 10},
                {"waiting": 1, "viewed": 11},
                {"viewed": 11, "unbilled": 1},
                {"viewed": 1, "approved": 10, "unbilled": 1},
                {"viewed": 1, "approved": 10, "unbilled": 1},
                {"viewed": 1, "approved": 10, "unbilled": 1},
                {"viewed": 1, "approved": 10, "unbilled": 1},
                {"waiting": 1, "sent": 1, "viewed": 1, "approved": 10, "unbilled": 1},
                {"waiting": 1, "sent": 1, "viewed": 1, "approved": 10, "unbilled": 1},
            )
        ),
    ]
    assert [one.day for one in days] == [date(2026, 11, 1) + number * _DAY for number in range(10)]


async def test_durations_are_those_that_half_and_nine_of_ten_did_not_exceed(world: Database) -> None:
    async with world.session() as s:
        found = await dashboard.durations(s, _MONDAY + 8 * _DAY, 2)
    week, hour, day = date(2026, 11, 2), 3600, 86400

    def took(begins: str, ends: str, count: int, p50_s: int, p90_s: int) -> Stretch:
        return Stretch(week=week, begins=begins, ends=ends, count=count, p50_s=p50_s, p90_s=p90_s)

    # Ten took 1 to 10 hours until they were sent, the eleventh 1 hour.
    assert found == [
        took("triggered", "sent", 11, 5 * hour, 9 * hour),
        took("sent", "viewed", 11, day, day),
        took("viewed", "approved", 10, 2 * day, 2 * day),
        took("triggered", "approved", 10, 3 * day + 5 * hour, 3 * day + 9 * hour),
        took("triggered", "sent", 1, hour, hour).model_copy(update={"week": date(2026, 11, 9)}),
    ]


async def test_an_event_dated_before_its_cause_took_no_time_at_all(db: Database) -> None:
    await with_customer(db)
    lines = (("issued", "V1", _HOUR), ("event", "viewed V1", timedelta(minutes=59)))
    await _invoice(db, "skewed", Status.VIEWED, _MONDAY, *lines)
    async with db.session() as s:
        found = {(one.begins, one.ends): one.p50_s for one in await dashboard.durations(s, _MONDAY, 1)}
        assert (await dashboard.by_day(s, _MONDAY, 1))[0].viewed == 1
    assert found == {("triggered", "sent"): 3600, ("sent", "viewed"): 0}


async def test_a_sunday_belongs_to_the_week_of_the_monday_before_it(db: Database) -> None:
    await with_customer(db)
    sunday = datetime(2026, 11, 8, 23, 59, tzinfo=UTC)
    await _invoice(db, "sunday", Status.SENT, sunday, ("issued", "V1", timedelta(seconds=1)))
    async with db.session() as s:
        assert [one.week for one in await dashboard.durations(s, sunday, 1)] == [date(2026, 11, 2)]
        assert await dashboard.durations(s, sunday + timedelta(minutes=1), 1) == []


async def test_who_needed_a_person_is_told_with_the_rules(world: Database) -> None:
    def kept(*rules: str) -> Assessment:
        reasons = tuple(Reason(rule=rule, text=rule) for rule in rules)
        return Assessment(automatic=not rules, policy_hash="p", reasons=reasons)

    told = {"through0": [kept("over_threshold", "change_history"), kept()], "through1": [kept()], "through2": [kept()],
            "seen": [kept("over_threshold")], "long ago": [kept("over_threshold")]}  # fmt: skip
    async with world.transaction() as s:
        for name, assessments in told.items():
            for number, one in enumerate(assessments):
                await invoices.save_assessment(s, _key(name), f"r{number}", one)
    async with world.session() as s:
        found = await dashboard.humans(s, _MONDAY - _DAY, _MONDAY + 30 * _DAY)
        assert found == Humans(assessed=4, needed=2, by_rule={"change_history": 1, "over_threshold": 2})
        assert found.share == 0.5
        nothing = await dashboard.humans(s, _MONDAY - 20 * _DAY, _MONDAY - 10 * _DAY)
    assert (nothing, nothing.share) == (Humans(assessed=0, needed=0, by_rule={}), 0.0)


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({"status": "open"}, "open"),
        ({"status": "open", "deadline": _MONDAY + _HOUR}, "breached"),
        ({"status": "open", "breached_at": _MONDAY}, "breached"),
        ({"status": "accepted", "resolved_at": _MONDAY + _HOUR}, "in_time"),
        ({"status": "declined", "resolved_at": _MONDAY + 9 * _DAY}, "late"),
        ({"status": "declined"}, "in_time"),
        ({"status": "declined", "breached_at": _MONDAY}, "late"),
        ({"status": "withdrawn"}, "withdrawn"),
        ({"status": "superseded"}, "withdrawn"),
    ],
)
async def test_a_case_is_counted_against_its_deadline(db: Database, changes: dict[str, Any], category: str) -> None:
    await with_customer(db)
    values = {"id": "cr", "version": 1, "opened_at": _MONDAY, "deadline": _MONDAY + 3 * _DAY, "owner": "m"}
    case = CaseRecord.model_validate({**values, "message": "", **changes})
    await _told(db, a_record(1, Status.SENT, key=_key("c"), cases=(case,)), _MONDAY)
    async with db.session() as s:
        assert await dashboard.deadlines(s, _MONDAY - _DAY, _MONDAY + _DAY) == Deadlines(**{category: 1})
        assert await dashboard.deadlines(s, _MONDAY + _DAY, _MONDAY + _DAY) == Deadlines()


async def test_no_figure_takes_more_than_two_statements_or_more_days_than_it_may(world: Database) -> None:
    asked: list[str] = []

    @on.listens_for(world.engine.sync_engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "moments" in statement or "assessed" in statement:
            asked.append(statement)

    async with world.session() as s:
        assert len(await dashboard.by_day(s, _MONDAY, 10_000)) == dashboard.MOST_DAYS
        await dashboard.durations(s, _MONDAY, 10_000)
        await dashboard.humans(s, _MONDAY - _DAY, _MONDAY)
    assert len(asked) == 4
