"""The fold: the set of events decides, never their order of arrival or how often they came."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.events import EventType, InvoiceEvent
from billing.lifecycle import Lifecycle, fold
from billing.ownership import RECIPIENT_FIELDS
from billing.record import Fate, Status

START = datetime(2026, 10, 1, 9, tzinfo=UTC)
OURS = "inv_1"
RANK = [Status.SENT, Status.VIEWED, Status.CHANGE_REQUESTED, Status.CANCELLED, Status.APPROVED]


def event(event_id: str, kind: str, minute: int = 0, version: int = 1, **data: Any) -> InvoiceEvent:
    body = {"invoice_id": OURS, "version": version} | data
    return InvoiceEvent.model_validate(
        {"id": event_id, "type": f"invoice.{kind}", "created_at": START + timedelta(minutes=minute), "data": body}
    )


def amended(event_id: str, minute: int, po: object, version: int = 1, **others: Any) -> InvoiceEvent:
    changes = {"po_number": {"from": None, "to": po}} | {name: {"to": value} for name, value in others.items()}
    return event(event_id, "amended", minute, version, changes=changes)


def asked(event_id: str, minute: int, case: str = "cr_1", version: int = 1) -> InvoiceEvent:
    return event(event_id, "change_requested", minute, version, change_request={"id": case, "message": "cheaper"})


def folded(events: Iterable[InvoiceEvent], version: int = 1, closed: frozenset[str] = frozenset()) -> Lifecycle:
    return fold(events, version=version, external_id=OURS, closed_cases=closed)


@st.composite
def some_events(draw: st.DrawFn) -> list[InvoiceEvent]:
    """Few times, versions and cases, so that everything collides: same microseconds, stale versions, repeats."""
    kinds = ["sent", "viewed", "amended", "change_requested", "approved", "paid", "voided", "forwarded"]
    made = []
    for number in range(draw(st.integers(0, 12))):
        kind, minute = draw(st.sampled_from(kinds)), draw(st.integers(0, 5))
        data: dict[str, Any] = {"invoice_id": draw(st.sampled_from([OURS, OURS, OURS, "inv_other"]))}
        if kind == "amended":
            names = st.sampled_from([*RECIPIENT_FIELDS, "line_items"])
            data["changes"] = {name: {"to": _value(name, number)} for name in draw(st.sets(names, max_size=3))}
        if kind == "change_requested" and draw(st.booleans()):
            data["change_request"] = {"id": draw(st.sampled_from(["cr_1", "cr_2"]))}
        made.append(event(f"evt_{number:02}", kind, minute, draw(st.integers(1, 3)), **data))
    return made


def _value(name: str, number: int) -> object:
    """Of each field its own kind, and now and then none that it can have."""
    return {"name": str(number)} if name in {"address", "ap_contact"} else str(number) if number % 4 else number


def _given(event: InvoiceEvent, name: str) -> object:
    change = (event.data.changes or {}).get(name)
    return change.to if change else None


versions = st.integers(1, 3)
closed_sets = st.frozensets(st.sampled_from(["cr_1", "cr_2"]))


@given(some_events(), versions, closed_sets, st.data())
def test_any_order_and_any_duplication_give_the_same_state(
    events: list[InvoiceEvent], version: int, closed: frozenset[str], data: st.DataObject
) -> None:
    shuffled = data.draw(
        st.permutations([*events, *data.draw(st.lists(st.sampled_from(events)) if events else st.just([]))])
    )
    assert folded(shuffled, version, closed) == folded(events, version, closed)


@given(some_events(), versions, closed_sets)
def test_every_event_has_exactly_one_fate_and_an_ignored_one_its_reason(
    events: list[InvoiceEvent], version: int, closed: frozenset[str]
) -> None:
    fates = folded(events, version, closed).fates
    assert fates.keys() == {one.id for one in events}
    assert all(fate is Fate.APPLIED or (fate is Fate.IGNORED and reason) for fate, reason in fates.values())


@given(some_events(), versions, closed_sets, st.data())
def test_whatever_arrives_later_an_approval_stands_and_no_version_goes_back(
    events: list[InvoiceEvent], version: int, closed: frozenset[str], data: st.DataObject
) -> None:
    arrived = data.draw(st.permutations(events))
    states = [folded(arrived[:n], version, closed) for n in range(len(arrived) + 1)]
    for before, after in pairwise(states):
        assert after.version >= before.version or after.approved_at
        assert after.viewed_versions >= before.viewed_versions
        if before.approved_at:
            assert after.status is Status.APPROVED
            assert after.version >= before.version
        if before.voided_at:
            assert after.status in {Status.CANCELLED, Status.APPROVED}


@given(some_events(), versions, closed_sets, st.data())
def test_within_one_version_no_status_goes_back_however_late_an_event_is(
    events: list[InvoiceEvent], version: int, closed: frozenset[str], data: st.DataObject
) -> None:
    arrived = data.draw(st.permutations(events))
    states = [folded(arrived[:n], version, closed) for n in range(len(arrived) + 1)]
    for before, after in pairwise(states):
        if before.version == after.version:
            assert RANK.index(after.status) >= RANK.index(before.status)


@given(some_events(), versions, closed_sets)
def test_an_approved_or_voided_invoice_has_no_open_case_and_not_both_ends(
    events: list[InvoiceEvent], version: int, closed: frozenset[str]
) -> None:
    state = folded(events, version, closed)
    assert not (state.approved_at and state.voided_at)
    assert not state.cases or (state.approved_at is None and state.voided_at is None)
    assert not state.cases.keys() & closed
    assert all(case.version >= state.version for case in state.cases.values())
    assert (state.approved_at is not None) == (state.status is Status.APPROVED)


@given(some_events(), versions)
def test_a_field_is_its_latest_writer_s_before_the_end(events: list[InvoiceEvent], version: int) -> None:
    state = folded(events, version)
    end = state.approved_at or state.voided_at
    writers = [
        one
        for one in events
        if one.type == EventType.AMENDED and one.data.invoice_id == OURS and (end is None or one.created_at <= end)
    ]
    for name in RECIPIENT_FIELDS:
        mine = [one for one in writers if isinstance(_given(one, name), str | dict)]
        latest = max(mine, key=lambda one: one.order, default=None)
        given_by = state.fields.get(name)
        assert (given_by.event_id if given_by else None) == (latest.id if latest else None)


def test_a_late_amendment_corrects_only_what_an_older_one_wrote() -> None:
    newer, older = amended("b", 5, "PO-2"), amended("a", 1, "PO-1", tax_id="DE1")
    state = folded([newer, older])
    assert state.fields["po_number"].value == "PO-2"
    assert state.fields["tax_id"].value == "DE1"


def test_amendments_of_the_same_microsecond_go_by_event_id() -> None:
    assert folded([amended("b", 1, "second"), amended("a", 1, "first")]).fields["po_number"].value == "second"


def test_an_amendment_of_an_older_version_counts_since_the_field_is_the_recipient_s() -> None:
    state = folded([event("s", "sent", 1, 2), amended("a", 2, "PO-1", version=1)], version=2)
    assert state.fields["po_number"].value == "PO-1"
    assert state.fates["a"] == (Fate.APPLIED, "")


def test_an_amendment_clears_a_field_and_cannot_touch_ours() -> None:
    state = folded([amended("a", 1, "PO-1"), amended("b", 2, None, line_items="free")])
    assert state.fields["po_number"].value is None
    assert set(state.fields) == {"po_number"}
    assert "line_items" in state.fates["b"][1]
    only_ours = event("c", "amended", 3, changes={"currency": {"from": "USD", "to": "JPY"}})
    assert folded([only_ours]).fates["c"][0] is Fate.IGNORED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("po_number", 12345), ("po_number", 1.5), ("po_number", "9" * 501), ("billing_entity", True),
        ("tax_id", {"a": 1}), ("address", "Main St 1"), ("address", {"city": 7}), ("ap_contact", ["a"]),
    ],
)  # fmt: skip
def test_a_value_that_no_recipient_can_give_is_left_out_and_said_so(field: str, value: object) -> None:
    changes = {field: {"from": None, "to": value}}
    alone = folded([event("a", "amended", 1, changes=changes)])
    assert field not in alone.fields
    fate, reason = alone.fates["a"]
    assert (fate, field in reason) == (Fate.IGNORED, True)
    other = "tax_id" if field != "tax_id" else "po_number"
    beside = folded([event("a", "amended", 1, changes=changes | {other: {"from": None, "to": "given"}})])
    assert beside.fields.keys() == {other}
    fate, reason = beside.fates["a"]
    assert (fate, field in reason) == (Fate.APPLIED, True)


def test_what_was_amended_before_the_approval_counts_also_if_it_arrives_after_it() -> None:
    state = folded([event("z", "approved", 5), amended("a", 4, "PO-1")])
    assert state.status is Status.APPROVED
    assert state.fields["po_number"].value == "PO-1"


def test_what_was_amended_after_the_approval_is_ignored_as_locked() -> None:
    state = folded([event("z", "approved", 5), amended("a", 6, "PO-1")])
    assert not state.fields
    assert state.fates["a"][0] is Fate.IGNORED
    assert "locked" in state.fates["a"][1]


def test_an_amendment_in_the_microsecond_of_the_approval_is_not_lost() -> None:
    assert folded([event("a", "approved", 5), amended("b", 5, "PO-1")]).fields["po_number"].value == "PO-1"


def test_a_stale_approval_is_ignored_naming_the_current_version() -> None:
    state = folded([event("v1", "approved", 1, version=1), event("s", "sent", 2, version=2)], version=2)
    assert state.status is Status.SENT
    assert state.fates["v1"] == (Fate.IGNORED, "it approves V1; V2 is current")


def test_an_approval_of_a_version_whose_sent_event_was_lost_counts() -> None:
    state = folded([event("v2", "approved", 3, version=2)], version=1)
    assert (state.status, state.version) == (Status.APPROVED, 2)


def test_a_late_sent_event_cannot_undo_an_approval() -> None:
    approval = event("a", "approved", 5, version=1)
    for minute in (4, 6):
        state = folded([approval, event("s", "sent", minute, version=2)])
        assert (state.status, state.version) == (Status.APPROVED, 1)
        assert state.fates["s"][0] is Fate.IGNORED


def test_a_version_made_by_hand_at_the_api_is_current_once_it_was_sent() -> None:
    state = folded([event("v", "viewed", 1), event("s", "sent", 2, version=2)])
    assert (state.status, state.version) == (Status.SENT, 2)


def test_a_view_of_one_version_is_no_view_of_the_next() -> None:
    view = event("v", "viewed", 1, version=1)
    assert folded([view]).status is Status.VIEWED
    assert folded([view], version=2).status is Status.SENT


def test_a_view_after_the_end_changes_no_status() -> None:
    assert folded([event("a", "approved", 1), event("v", "viewed", 2)]).status is Status.APPROVED
    assert folded([event("a", "voided", 1), event("v", "viewed", 2)]).status is Status.CANCELLED


def test_an_approval_withdraws_open_cases_whichever_came_first() -> None:
    request, approval = asked("r", 1), event("a", "approved", 2)
    assert folded([request]).status is Status.CHANGE_REQUESTED
    for events in ([request, approval], [approval, request]):
        state = folded(events)
        assert state.status is Status.APPROVED
        assert not state.cases
    late = folded([approval, asked("r", 3)])
    assert late.status is Status.APPROVED
    assert late.fates["r"][0] is Fate.IGNORED


def test_an_answered_case_is_not_revived_by_the_request_s_arriving_again() -> None:
    closed = frozenset({"cr_1"})
    state = folded([asked("r", 1), asked("r2", 9)], closed=closed)
    assert not state.cases
    assert state.status is Status.SENT


def test_a_request_that_we_answered_with_the_next_version_keeps_its_fate() -> None:
    before = folded([asked("r", 1)], version=1)
    after = folded([asked("r", 1)], version=2, closed=frozenset({"cr_1"}))
    assert before.fates["r"] == after.fates["r"] == (Fate.APPLIED, "")


def test_a_request_about_an_older_version_opens_no_case() -> None:
    state = folded([asked("r", 1, version=1)], version=2)
    assert not state.cases
    assert state.fates["r"] == (Fate.IGNORED, "it is about V1; V2 is current")


def test_a_request_repeated_under_another_event_keeps_the_time_of_the_first() -> None:
    state = folded([asked("r2", 60), asked("r1", 1)])
    assert state.cases["cr_1"].at == START + timedelta(minutes=1)
    assert state.fates["r2"] == (Fate.IGNORED, "it repeats change request cr_1")


def test_a_void_ends_the_invoice_and_a_later_amendment_is_ignored() -> None:
    state = folded([event("x", "voided", 2), amended("a", 3, "PO-1"), asked("r", 1)])
    assert state.status is Status.CANCELLED
    assert not state.cases
    assert not state.fields
    assert "voided" in state.fates["a"][1]


@pytest.mark.parametrize("minute", [1, 3])
def test_an_approval_outweighs_a_void_since_the_api_locks_what_is_approved(minute: int) -> None:
    state = folded([event("a", "approved", 2), event("x", "voided", minute)])
    assert state.status is Status.APPROVED
    assert state.voided_at is None
    assert state.fates["x"][0] is Fate.IGNORED


@pytest.mark.parametrize("kind", ["paid", "forwarded", "approved.later"])
def test_an_unknown_type_and_a_payment_are_kept_and_ignored_with_a_reason(kind: str) -> None:
    state = folded([event("u", kind, 1)])
    assert state.status is Status.SENT
    fate, reason = state.fates["u"]
    assert fate is Fate.IGNORED
    assert reason


@pytest.mark.parametrize("kind", ["approved", "voided", "sent", "viewed"])
def test_another_invoice_s_event_changes_nothing(kind: str) -> None:
    state = folded([event("o", kind, 1, version=1, invoice_id="inv_other")])
    assert state.status is Status.SENT
    assert not state.viewed_versions
    assert "inv_other" in state.fates["o"][1]
