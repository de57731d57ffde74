"""Writing what the workflow says, twice, late and out of order; and reading it back whole."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.assessment import Assessment, Reason
from billing.decisions import Action, Decision
from billing.errors import BadInput
from billing.events import InvoiceEvent
from billing.record import CaseRecord, Entry, EventFate, Fate, InvoiceRecord, Placed, Status
from records import events, invoices
from records.intents import register
from records.session import Database
from records.views import InvoiceView
from tests.records.make import AT, KEY, a_record, an_event, an_intent, with_intent


async def _save(db: Database, *given: InvoiceRecord) -> None:
    async with db.transaction() as s:
        for record in given:
            await invoices.save_record(s, record)


async def _view(db: Database, key: str = KEY) -> InvoiceView:
    async with db.session() as s:
        view = await invoices.get_view(s, key)
    assert view is not None
    return view


def _told(view: InvoiceView) -> list[str]:
    """The timeline after its first line, which says that it was triggered."""
    assert [entry.kind for entry in view.timeline].count("triggered") == 1
    return [entry.text for entry in view.timeline if entry.kind != "triggered"]


def _case(**changes: Any) -> CaseRecord:
    values = {"id": "cr_1", "version": 1, "opened_at": AT, "deadline": AT, "owner": "mia", "message": "cheaper"}
    return CaseRecord(**{**values, **changes})


async def test_a_registered_intent_reads_as_a_drafting_invoice_before_its_workflow_wrote(db: Database) -> None:
    await with_intent(db)
    view = await _view(db)
    assert (view.status, view.total, view.total_minor, view.version) == ("drafting", "1250.00", 125000, 1)
    async with db.session() as s:
        page = await invoices.list_views(s, status="drafting")
    assert [found.key for found in page.data] == [KEY]


def _entries(*texts: str, first: int = 1) -> tuple[Entry, ...]:
    return tuple(Entry(number=n, at=AT, kind="x", actor="y", text=text) for n, text in enumerate(texts, start=first))


async def test_a_record_that_is_older_than_what_stands_is_passed_over(db: Database) -> None:
    await with_intent(db)
    newer, older = a_record(5, Status.VIEWED, entries=_entries("sent", "viewed")), a_record(4, entries=_entries("sent"))
    await _save(db, newer, older, a_record(3, entries=_entries("sent", "mailed", "again")))
    view = await _view(db)
    assert view.status == "viewed"
    assert _told(view) == ["sent", "viewed"]


async def test_what_a_task_told_that_never_was_gives_way_to_its_second_play_places_and_all(db: Database) -> None:
    await with_intent(db)
    known = a_record(2, entries=_entries("drafted"))
    # The first play told twice before its worker died; the second goes another way, and has less to tell.
    lost = (
        a_record(3, entries=_entries("assessed", first=2), after=2, placed=Placed(entries=1)),
        a_record(4, entries=_entries("approved", "issued", first=3), after=3, placed=Placed(entries=2)),
    )
    played_again = a_record(9, entries=_entries("cancelled", first=2), after=2, placed=Placed(entries=1))
    await _save(db, known, *lost, played_again, lost[1])
    assert _told(await _view(db)) == ["drafted", "cancelled"]


async def test_a_record_that_does_not_say_what_was_told_before_clears_nothing(db: Database) -> None:
    await with_intent(db)
    await _save(db, a_record(2, entries=_entries("drafted")), a_record(4, entries=_entries("issued", first=2)))
    assert _told(await _view(db)) == ["drafted", "issued"]


async def test_a_task_that_is_played_again_with_more_to_tell_loses_no_line_of_the_timeline(db: Database) -> None:
    await with_intent(db)
    first = a_record(3, entries=_entries("viewed", "late"))
    second = a_record(5, entries=_entries("viewed", "amended", "late"))
    await _save(db, first, second)
    # The first play's worker was slow, and writes after the second's.
    await _save(db, first)
    assert _told(await _view(db)) == ["viewed", "amended", "late"]


async def test_writing_a_record_twice_is_writing_it_once(db: Database) -> None:
    await with_intent(db)
    decision = Decision(position=1, at=AT, action=Action.APPROVE, actor="mia", revision="abc", result_revision="abc")
    record = a_record(
        entries=(Entry(number=1, at=AT, kind="sent", actor="billhook", text="sent"),),
        decisions=(decision,),
        cases=(_case(),),
        recipient={"po_number": "PO-1", "address": {"city": "Oslo"}},
        available_actions=("cancel",),
    )
    await _save(db, record, record)
    view = await _view(db)
    assert (len(_told(view)), len(view.decisions), len(view.cases)) == (1, 1, 1)
    assert view.recipient.po_number == "PO-1"
    assert view.recipient.address == {"city": "Oslo"}
    assert view.available_actions == ["cancel"]
    assert view.decisions[0].at == AT


async def test_a_task_that_is_played_again_later_tells_of_the_same_decision(db: Database) -> None:
    def told(at: datetime) -> tuple[Decision, ...]:
        return (Decision(position=1, at=at, action=Action.CANCEL, actor="mia", revision="abc", result_revision="abc"),)

    await with_intent(db)
    first, second = a_record(3, decisions=told(AT)), a_record(3, decisions=told(AT + timedelta(seconds=9)))
    await _save(db, first, second)
    assert [one.at for one in (await _view(db)).decisions] == [AT + timedelta(seconds=9)]


async def test_a_late_record_does_not_reopen_a_closed_case(db: Database) -> None:
    await with_intent(db)
    closed = a_record(3, cases=(_case(status="declined", answer="no"),))
    await _save(db, closed, a_record(2, cases=(_case(),)))
    assert (await _view(db)).cases[0].status == "declined"
    async with db.session() as s:
        assert (await invoices.open_cases(s)).data == []


async def test_the_workflows_word_on_an_event_outlasts_the_dispatchers(db: Database) -> None:
    await with_intent(db)
    async with db.transaction() as s:
        assert await events.accept(s, "jupiter", an_event(), an_event().model_dump_json().encode())
    await _save(db, a_record(2, fates=(EventFate(event_id="evt_1", fate=Fate.APPLIED),)))
    async with db.transaction() as s:
        await events.mark(s, [events.Mark("evt_1", Fate.DELIVERED)])
        assert not await events.requeue(s, "evt_1")
    await _save(db, a_record(1, fates=(EventFate(event_id="evt_1", fate=Fate.IGNORED, reason="old"),)))
    async with db.session() as s:
        stored = await events.get_event(s, "evt_1")
    assert stored is not None
    assert stored.fate == Fate.APPLIED


async def test_the_assessment_shown_is_that_of_the_present_revision(db: Database) -> None:
    await with_intent(db)
    reason = Reason(rule="threshold", text="over 25,000.00 USD")
    async with db.transaction() as s:
        await invoices.save_assessment(
            s, KEY, "abc", Assessment(automatic=False, policy_hash="p", reasons=(reason,), follow_up_after=timedelta(3))
        )
        await invoices.save_assessment(s, KEY, "other", Assessment(automatic=True, policy_hash="p"))
    await _save(db, a_record())
    assessment = (await _view(db)).assessment
    assert assessment is not None
    assert (assessment.automatic, assessment.reasons[0].rule) == (False, "threshold")


async def test_a_list_pages_through_every_invoice_once(db: Database) -> None:
    await with_intent(db)
    async with db.transaction() as s:
        for index in range(6):
            await register(s, an_intent(f"invoice:p:m{index}"))
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        async with db.session() as s:
            page = await invoices.list_views(s, customer_id="acme", cursor=cursor, limit=2)
        seen += [view.key for view in page.data]
        cursor = page.next_cursor
    assert cursor is None
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize("cursor", ["?", "bm9wZQ", "WzEsMl0", "WyJhIiwiYiJd"])
async def test_a_cursor_of_someone_elses_making_is_refused_by_name(db: Database, cursor: str) -> None:
    async with db.session() as s:
        with pytest.raises(BadInput, match="cursor"):
            await invoices.list_views(s, cursor=cursor)


async def test_an_invoice_is_found_by_the_apis_id_and_awaiting_ones_are_listed(db: Database) -> None:
    await with_intent(db)
    await _save(db, a_record(1, Status.AWAITING_APPROVAL, external_id="inv/1"))
    async with db.session() as s:
        assert await invoices.keys_of(s, {"inv/1", "inv/2"}) == {"inv/1": KEY}
        assert [view.key for view in (await invoices.awaiting_approval(s)).data] == [KEY]


async def test_words_that_a_database_cannot_hold_do_not_stop_an_invoice(db: Database) -> None:
    """PostgreSQL refuses a NUL in text and NaN in JSON, for ever: a recipient could park his invoice with either."""
    await with_intent(db)
    request = {"id": "cr_1", "message": "a\x00b", "proposed": {"n\x00": ["\x00", float("nan"), float("inf")]}}
    data = {"invoice_id": "inv_1", "change_request": request}
    raw = json.dumps({"id": "evt_1", "type": "invoice.change_requested", "created_at": AT.isoformat(), "data": data})
    found = InvoiceEvent.model_validate_json(raw).data.change_request
    assert found is not None
    case = CaseRecord(
        id=found.id, version=1, opened_at=AT, deadline=AT, owner="", message=found.message, proposed=found.proposed
    )
    async with db.transaction() as s:
        await invoices.save_record(s, a_record(cases=(case,)))
    async with db.session() as s:
        listed = await invoices.open_cases(s)
    assert listed.data[0].message == "a\ufffdb"
