"""What comes after the end is judged as if it had come in time, and undoes nothing."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.assessment import Assessment
from billing.events import EventType, InvoiceEvent
from billing.late import Ended, Late, judge_late, late_entries
from billing.record import Fate, Status
from tests.billing.test_billing_lifecycle import OURS, START, amended, asked, event, folded, some_events

APPROVED = event("z", "approved", 10)
VOIDED = event("x", "voided", 10)


def judged(late: InvoiceEvent, *known: InvoiceEvent, status: Status = Status.BILLED, **recipient: object) -> Late:
    return judge_late(late, known, Ended(status, 1, OURS, frozenset(), recipient))


@given(some_events(), st.sampled_from([Status.BILLED, Status.CANCELLED]), st.data())
def test_a_late_event_has_the_fate_that_it_would_have_had_in_time(
    events: list[InvoiceEvent], status: Status, data: st.DataObject
) -> None:
    assume(events)
    end = APPROVED if status is Status.BILLED else VOIDED
    late = data.draw(st.sampled_from(events))
    known = [one for one in [*events, end] if one.id != late.id]
    found = judged(late, *known, status=status)
    if found.fate is Fate.QUARANTINED:
        assert (late.type, status) == (EventType.APPROVED, Status.CANCELLED)
    else:
        assert (found.fate, found.reason) == folded([*known, late], version=1).fates[late.id]


@given(some_events(), st.data())
def test_a_late_event_gives_only_fields_whose_latest_writer_it_is(
    events: list[InvoiceEvent], data: st.DataObject
) -> None:
    assume(events)
    late = data.draw(st.sampled_from(events))
    known = [one for one in [*events, VOIDED] if one.id != late.id]
    for name, given_field in judged(late, *known, status=Status.CANCELLED).fields.items():
        assert given_field.event_id == late.id
        assert folded([*known, late]).fields[name] == given_field


def test_an_amendment_made_before_the_approval_counts_by_its_own_time() -> None:
    found = judged(amended("a", 5, "PO-9"), APPROVED, po_number="PO-9")
    assert found.fate is Fate.APPLIED
    assert found.fields["po_number"].at == START + timedelta(minutes=5)


def test_a_value_that_is_not_the_locked_one_was_not_the_last_and_goes_nowhere() -> None:
    found = judged(amended("a", 5, "PO-8"), APPROVED, po_number="PO-9")
    assert found.fate is Fate.APPLIED
    assert found.fields == {}


def test_an_amendment_dated_after_the_approval_is_ignored_as_locked() -> None:
    assert judged(amended("a", 11, "PO-9"), APPROVED).fate is Fate.IGNORED


def test_an_approval_of_what_we_hold_as_cancelled_is_for_a_person() -> None:
    found = judged(APPROVED, status=Status.CANCELLED)
    assert found.fate is Fate.QUARANTINED
    assert "a person must look" in found.reason


def test_a_request_that_the_end_overtook_is_a_withdrawn_case() -> None:
    found = judged(asked("r", 5), APPROVED)
    assert found.fate is Fate.APPLIED
    assert found.case is not None
    assert found.case.at == START + timedelta(minutes=5)


def test_a_request_about_an_invoice_that_ended_here_alone_opens_nothing() -> None:
    found = judged(asked("r", 5), status=Status.REJECTED)
    assert (found.fate, found.case) == (Fate.IGNORED, None)


@pytest.mark.parametrize(("locked", "is_synced"), [("PO-9", True), ("PO-8", False)])
def test_the_timeline_has_the_event_at_its_own_time_and_says_that_it_was_late(locked: str, is_synced: bool) -> None:
    now, event_ = START + timedelta(days=3), amended("a", 5, "PO-9")
    happened, told = late_entries(event_, judged(event_, APPROVED, po_number=locked), Status.BILLED, now)
    assert (happened.at, happened.text) == (START + timedelta(minutes=5), "amended V1")
    assert told.at == now
    assert "came late" in told.text
    assert ("po_number to the CRM" in told.text) == is_synced


def test_an_approval_of_a_former_version_is_told_as_ignored_however_late_it_comes() -> None:
    stale = event("s", "approved", 4)
    ended = Ended(Status.BILLED, 2, OURS, frozenset(), {})
    late = judge_late(stale, [event("z", "approved", 10, version=2)], ended)
    *_, last = late_entries(stale, late, Status.BILLED, START)
    assert (last.kind, last.text) == ("ignored", "approved V1 ignored: it approves V1; V2 is current")


@given(some_events(), st.sampled_from([APPROVED, VOIDED]), st.data())
def test_a_case_that_is_heard_of_after_the_end_stands_as_if_it_had_come_in_time(
    events: list[InvoiceEvent], end: InvoiceEvent, data: st.DataObject
) -> None:
    requests = [one for one in events if one.data.change_request is not None]
    assume(requests)
    late = data.draw(st.sampled_from(requests))
    known = [one for one in [*events, end] if one.id != late.id]
    status = Status.BILLED if end is APPROVED else Status.CANCELLED
    case = judged(late, *known, status=status).withdrawn_case(Assessment(automatic=True, policy_hash="p"))
    life = folded([*known, late], version=1)
    assert late.data.change_request is not None
    if case is None:
        assert life.fates[late.id][0] is Fate.IGNORED or late.data.change_request.id not in life.withdrawn
    else:
        assert (case.status, case.resolved_at, case.resolved_by) == ("withdrawn", life.ended_at, life.ended_by)
        assert case.opened_at == life.withdrawn[case.id].at
