"""What waits is counted as it stands, on both databases; what ended is not looked at."""

from datetime import timedelta

from sqlalchemy import insert, update

from billing.record import CaseRecord, Status
from records import events, invoices, standing
from records.intents import register
from records.session import Database
from records.sql import table
from records.standing import Standing
from records.tables import AssessmentRow, EventRow
from tests.records.make import AT, a_record, an_event, an_intent, with_customer

_HOUR = timedelta(hours=1)
_V = table(EventRow)


def _case(name: str, due: timedelta, status: str = "open") -> CaseRecord:
    return CaseRecord(id=name, version=1, opened_at=AT, deadline=AT + due, owner="dana", message="?", status=status)


async def _filled(db: Database) -> None:
    await with_customer(db)
    cases = (_case("a", -_HOUR), _case("b", _HOUR), _case("c", 30 * _HOUR), _case("d", -_HOUR, "declined"))
    records = [
        a_record(1, Status.AWAITING_APPROVAL, key="invoice:p:1", decide_by=AT - _HOUR),
        a_record(1, Status.AWAITING_APPROVAL, key="invoice:p:2", decide_by=AT + _HOUR),
        a_record(1, Status.CHANGE_REQUESTED, key="invoice:p:3", cases=cases),
        a_record(1, Status.NEEDS_ATTENTION, key="invoice:p:4", failed_step="issue"),
        a_record(1, Status.BILLED, key="invoice:p:5"),
    ]
    async with db.transaction() as s:
        for record in records:
            await register(s, an_intent(record.key))
            await invoices.save_record(s, record)
        asked = [(f"invoice:p:{number}", AT - number * _HOUR) for number in (1, 2, 5)]
        rows = [{"key": key, "revision": "abc", "body": {}, "assessed_at": at} for key, at in asked]
        await s.execute(insert(table(AssessmentRow)), rows)
        for name, lane in (("evt_1", "x"), ("evt_2", "x"), ("evt_3", "y"), ("evt_4", "z")):
            await events.accept(s, "jupiter", an_event(name, reference=lane), b"{}")
        await s.execute(update(_V).values(received_at=AT - 2 * _HOUR))
        # A lane rests as a whole while its first event does; what was delivered waits no more.
        await s.execute(update(_V).where(_V.c.id == "evt_1").values(next_attempt_at=AT + _HOUR))
        await s.execute(update(_V).where(_V.c.id == "evt_3").values(received_at=AT - _HOUR))
        await s.execute(update(_V).where(_V.c.id == "evt_4").values(fate="delivered"))


async def test_what_waits_is_counted_by_state_deadline_and_age(db: Database) -> None:
    await _filled(db)
    async with db.session() as s:
        found = await standing.read(s, AT)
    counted = {state: count for state, count in found.invoices.items() if count}
    assert counted == {"awaiting_approval": 2, "change_requested": 1, "needs_attention": 1}
    assert set(found.invoices) == set(standing.OPEN)
    assert (found.approvals_overdue, found.approvals_oldest_s) == (1, 7200)
    assert found.cases == {"passed": 1, "within_a_day": 1, "later": 1}
    assert (found.events_waiting, found.events_oldest_s) == (3, 3600)


async def test_where_nothing_waits_everything_is_nought(db: Database) -> None:
    async with db.session() as s:
        found = await standing.read(s, AT)
    assert found == Standing(invoices=dict.fromkeys(standing.OPEN, 0), cases=dict.fromkeys(standing.DEADLINES, 0))
