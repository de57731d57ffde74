"""Which events have their turn, and that finding them does not cost more the more events are stored."""

from datetime import timedelta

from sqlalchemy import event as on

from billing.record import Fate
from records import events
from records.events import Arrival, Mark
from records.session import Database
from tests.records.make import AT, an_event


async def _store(db: Database, lane: str, *names: str) -> None:
    async with db.transaction() as s:
        found = [Arrival("jupiter", an_event(name, reference=lane), b"raw") for name in names]
        await events.accept_all(s, found)


async def test_a_lane_of_thousands_leaves_room_for_the_others(db: Database) -> None:
    await _store(db, "crowded", *(f"evt_{number:04}" for number in range(1000)))
    await _store(db, "quiet", "evt_quiet")
    async with db.session() as s:
        found = await events.pending(s, 100, AT)
        assert len(found) == 21
        assert found[1].lane == "quiet"
        assert {row.lane for row in await events.pending(s, 1, AT)} == {"crowded"}
        assert [row.id for row in await events.pending(s, 100, AT, without={"crowded"})] == ["evt_quiet"]


async def test_a_lane_waits_as_a_whole_and_goes_on_as_a_whole(db: Database) -> None:
    await _store(db, "lane", "evt_1", "evt_2")
    later = AT + timedelta(minutes=5)
    async with db.transaction() as s:
        await events.mark(s, [Mark("evt_2", Fate.PENDING, "waits", 1, later)])
        assert await events.pending(s, 10, AT) == []
        assert [row.id for row in await events.pending(s, 10, later)] == ["evt_1", "evt_2"]


async def test_a_mark_that_comes_late_undoes_no_quarantine(db: Database) -> None:
    await _store(db, "lane", "evt_1")
    async with db.transaction() as s:
        await events.mark(s, [Mark("evt_1", Fate.QUARANTINED, "the CRM refused it")])
        await events.mark(s, [Mark("evt_1", Fate.DELIVERED)])
    async with db.session() as s:
        found = await events.get_event(s, "evt_1")
    assert found is not None
    assert (found.fate, found.reason) == (Fate.QUARANTINED, "the CRM refused it")


async def test_the_pending_ones_are_found_by_their_index_however_many_are_stored(db: Database) -> None:
    await _store(db, "done", *(f"evt_{number}" for number in range(5000)))
    async with db.transaction() as s:
        await (await s.connection()).exec_driver_sql("UPDATE events SET fate = 'applied'")
    await _store(db, "lane", "evt_new")
    asked: list[tuple[str, object]] = []

    @on.listens_for(db.engine.sync_engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, given: object, *_: object) -> None:
        asked.append((statement, given))

    async with db.session() as s:
        connection = await s.connection()
        await connection.exec_driver_sql("ANALYZE events")
        assert [row.id for row in await events.pending(s, 10, AT)] == ["evt_new"]
        statement, given = asked[-1]
        explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = (await connection.exec_driver_sql(f"{explain} {statement}", given)).all()  # type: ignore[arg-type]
    words = "\n".join(str(row) for row in plan)
    assert "ix_events_lanes" in words
    assert "Seq Scan on events" not in words
    assert "SCAN events'" not in words
