"""The comparison of two views of an invoice: each class of difference, and what a derived event may and may not do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.events import Change, ChangeRequest, EventData, EventType, InvoiceEvent
from billing.held import Held, HeldEvent
from billing.lifecycle import fold
from billing.money import Money
from billing.reconcile import (
    GRACE,
    STUCK,
    Difference,
    Found,
    compare,
    is_moving,
    wants_details,
    without_invoice,
)
from billing.record import Fate, Status
from billing.remote import Details, RemoteInvoice, RemoteRequest, RemoteVersion

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
KEY = "invoice:project_1:milestone_1"
USD_30, USD_1 = Money(minor=3000, currency="USD"), Money(minor=100, currency="USD")
OSLO = {"city": "Oslo"}


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


NOW = at(60 * 24)


def remote(status: str = "sent", **changes: Any) -> RemoteInvoice:
    found = RemoteInvoice(
        external_id="inv_1",
        status=status,
        version=1,
        total=USD_30,
        link="https://api.example/i/token",
        due_date=None,
        reference=KEY,
        created_at=at(0),
        sent_at=None if status == "draft" else at(1),
        approved_at=at(100) if status in {"approved", "paid"} else None,
    )
    return replace(found, **changes)


def held(status: Status = Status.SENT, **changes: Any) -> Held:
    found = Held(
        key=KEY,
        status=status,
        version=1,
        total=USD_30,
        since=at(-1),
        external_id="inv_1",
        issued=status not in {Status.DRAFTING, Status.AWAITING_APPROVAL, Status.ISSUING, Status.REJECTED},
    )
    return replace(found, **changes)


def told(kind: EventType, minutes: float, name: str = "", fate: Fate = Fate.APPLIED, **data: Any) -> HeldEvent:
    event = InvoiceEvent(
        id=name or f"evt_{kind.value}_{minutes}",
        type=kind.value,
        created_at=at(minutes),
        data=EventData(invoice_id="inv_1", reference=KEY, **data),
    )
    return HeldEvent(event, fate)


def amended(minutes: float, value: Any, name: str = "", field: str = "po_number") -> HeldEvent:
    return told(EventType.AMENDED, minutes, name, changes={field: Change(to=value)})


def classes(found: list[Found]) -> list[str]:
    return [one.difference.value for one in found]


def fed(ours: Held, found: list[Found]) -> Held:
    """Ours, once the events that were derived have come through the door."""
    more = tuple(HeldEvent(one.event, Fate.APPLIED) for one in found if one.event)
    return replace(ours, events=(*ours.events, *more))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (remote("draft"), held(Status.AWAITING_APPROVAL)),
        (remote("draft"), held(Status.DRAFTING)),
        (remote("sent"), held(Status.SENT)),
        (remote("sent"), held(Status.ISSUING)),
        (remote("viewed"), held(Status.VIEWED, events=(told(EventType.VIEWED, 5),))),
        (remote("approved"), held(Status.BILLED, events=(told(EventType.APPROVED, 100),))),
        (remote("paid"), held(Status.BILLED)),
        (remote("voided"), held(Status.CANCELLED)),
        (remote("sent"), held(Status.AWAITING_APPROVAL, version=2, issued=True, total=Money(minor=9, currency="USD"))),
        (remote("approved"), held(Status.CANCELLED, closed_unbilled=True)),
        (remote("sent", recipient_fields={"po_number": "P"}), held(known={"po_number": "P"})),
        (remote(recipient_fields={"address": OSLO}), held(known={"address": OSLO | {"line2": ""}})),
        (remote("voided", external_id="inv_2"), held()),
    ],
)  # fmt: skip
def test_two_views_that_agree_have_no_difference(theirs: RemoteInvoice, ours: Held) -> None:
    assert compare(theirs, ours, NOW) == []


@pytest.mark.parametrize(
    ("theirs", "ours", "kind"),
    [
        (remote("draft"), None, Difference.DRAFT_WITHOUT_RECORD),
        (remote("sent", reference=None), None, Difference.UNKNOWN_INVOICE),
        (remote("draft", reference="by hand"), None, Difference.UNKNOWN_INVOICE),
        (remote("approved"), None, Difference.UNKNOWN_INVOICE),
        (remote("draft", external_id="inv_2"), held(), Difference.UNKNOWN_INVOICE),
        (remote("sent", total=USD_1), held(), Difference.AMOUNT_DIFFERS),
        (remote("sent", total=Money(minor=3000, currency="EUR")), held(), Difference.AMOUNT_DIFFERS),
        (remote("draft", total=USD_1), held(Status.AWAITING_APPROVAL), Difference.AMOUNT_DIFFERS),
        (remote("sent"), held(version=2), Difference.VERSION_DIFFERS),
        (remote("draft"), held(Status.CANCELLED), Difference.STATE_BEHIND),
        (remote("draft"), held(Status.SENT), Difference.STATE_BEHIND),
        (remote("sent"), held(Status.CANCELLED), Difference.STATE_BEHIND),
        (remote("approved"), held(Status.CANCELLED), Difference.STATE_BEHIND),
        (remote("approved"), held(Status.REJECTED), Difference.STATE_BEHIND),
        (remote("voided"), held(Status.BILLED), Difference.STATE_BEHIND),
        (remote("sent"), held(Status.BILLED), Difference.STATE_BEHIND),
        (remote("sent"), held(Status.AWAITING_APPROVAL), Difference.STATE_BEHIND),
        (remote("sent"), held(Status.NEEDS_ATTENTION, issued=False, failed_step="issue"), Difference.STATE_BEHIND),
    ],
)  # fmt: skip
def test_what_only_a_person_can_mend_is_told_with_a_step_and_no_event(
    theirs: RemoteInvoice, ours: Held | None, kind: Difference
) -> None:
    [found] = compare(theirs, ours, NOW)
    assert (found.difference, found.event) == (kind, None)
    assert found.evidence
    assert found.next_step


@pytest.mark.parametrize(
    ("theirs", "kind", "when"),
    [
        (remote("approved"), EventType.APPROVED, at(100)),
        (remote("paid"), EventType.APPROVED, at(100)),
        (remote("viewed"), EventType.VIEWED, at(40)),
        (remote("voided"), EventType.VOIDED, NOW),
        (remote("sent", recipient_fields={"po_number": "P"}), EventType.AMENDED, at(1) + timedelta(microseconds=1)),
    ],
)
def test_what_no_webhook_told_is_one_event_at_the_best_time_and_found_once(
    theirs: RemoteInvoice, kind: EventType, when: datetime
) -> None:
    details = Details((RemoteVersion(1, at(1), at(40)),))
    [found] = compare(theirs, held(), NOW, details)
    assert (found.difference, found.next_step) == (Difference.MISSED_EVENT, "")
    assert found.event is not None
    assert (found.event.type, found.event.created_at, found.event.data.reference) == (kind, when, KEY)
    assert compare(theirs, fed(held(), [found]), NOW + timedelta(days=1), details) == []


def test_a_version_made_by_hand_is_told_to_the_workflow_and_to_a_person() -> None:
    theirs = remote("sent", version=2, total=Money(minor=9, currency="USD"))
    assert wants_details(theirs, held())
    [found] = compare(theirs, held(), NOW, Details((RemoteVersion(2, at(50)),)))
    assert found.difference is Difference.VERSION_DIFFERS
    assert found.next_step
    assert found.event is not None
    assert (found.event.type, found.event.data.version, found.event.created_at) == (EventType.SENT, 2, at(50))
    [again] = compare(theirs, fed(held(), [found]), NOW)
    assert (again.difference, again.event) == (Difference.VERSION_DIFFERS, None)


def test_a_missed_change_request_is_healed_by_its_own_id_words_and_time() -> None:
    theirs = remote("change_requested")
    asked = RemoteRequest("cr_1", 1, True, "less", {"payment_terms": "net_60"}, at(30))
    assert wants_details(theirs, held())
    [found] = compare(theirs, held(), NOW, Details(requests=(asked,)))
    assert found.event is not None
    assert found.event.created_at == at(30)
    assert found.event.data.change_request == ChangeRequest(id="cr_1", message="less", proposed=asked.proposed)


@pytest.mark.parametrize(
    "requests",
    [None, (), (RemoteRequest("cr_1", 1, True, "", None, None),), (RemoteRequest("cr_1", 1, False, "", None, at(1)),)],
)
def test_a_change_request_that_the_api_does_not_tell_is_never_invented(requests: Any) -> None:
    [found] = compare(remote("change_requested"), held(), NOW, Details(requests=requests))
    assert (found.difference, found.event) == (Difference.MISSED_EVENT, None)
    assert "billhook invoice show" in found.next_step
    assert "https://" not in found.next_step


def test_a_change_request_that_we_know_is_no_difference() -> None:
    asked = told(EventType.CHANGE_REQUESTED, 30, change_request=ChangeRequest(id="cr_1"))
    ours = held(Status.CHANGE_REQUESTED, events=(asked,), cases={"cr_1": "open"})
    assert not wants_details(remote("change_requested"), ours)
    assert compare(remote("change_requested"), ours, NOW) == []


def test_an_event_that_was_fed_and_never_arrived_is_a_persons_not_fed_again() -> None:
    [found] = compare(remote("approved"), held(), NOW)
    assert found.event is not None
    lost = HeldEvent(found.event, Fate.QUARANTINED, "no workflow runs")
    [again] = compare(remote("approved"), held(events=(lost,)), NOW)
    assert (again.difference, again.event) == (Difference.STATE_BEHIND, None)
    assert f"billhook events replay {found.event.id}" in again.next_step


def test_a_quarantined_webhook_is_healed_by_a_derived_event() -> None:
    lost = told(EventType.APPROVED, 100, fate=Fate.QUARANTINED)
    [found] = compare(remote("approved"), held(events=(lost,)), NOW)
    assert found.event is not None


def test_what_waits_for_a_parked_invoice_is_told_and_what_the_engine_forgot_too() -> None:
    approval = told(EventType.APPROVED, 100)
    parked = held(Status.NEEDS_ATTENTION, events=(approval,), failed_step="send_mail")
    assert classes(compare(remote("approved"), parked, NOW)) == ["state_behind"]
    lost = replace(approval, fate=Fate.DELIVERED, is_stated=False, age=STUCK * 2)
    assert classes(compare(remote("approved"), held(events=(lost,)), NOW)) == ["state_behind"]
    fresh = replace(lost, age=STUCK / 2)
    assert compare(remote("approved"), held(events=(fresh,)), NOW) == []


@pytest.mark.parametrize(
    ("theirs", "ours", "moving"),
    [
        (remote(), held(), False),
        (remote(), held(age=GRACE / 2), True),
        (remote(sent_at=NOW - GRACE / 2), held(), True),
        (remote("approved", approved_at=NOW - GRACE / 2), held(), True),
        (remote("approved", approved_at=NOW - GRACE), held(), False),
        (remote("approved", approved_at=NOW + timedelta(hours=1)), held(), False),
        (remote("draft"), held(Status.DRAFTING, external_id=None), True),
        (remote("draft"), held(Status.REJECTED, external_id=None), False),
        (remote("draft", created_at=NOW), None, True),
        (remote("sent"), held(events=(replace(told(EventType.VIEWED, 9, fate=Fate.PENDING), age=GRACE / 2),)), True),
        (remote("sent"), held(events=(replace(told(EventType.VIEWED, 9), age=GRACE / 2),)), False),
    ],
)
def test_what_changed_a_moment_ago_is_left_for_the_next_run(
    theirs: RemoteInvoice, ours: Held | None, moving: bool
) -> None:
    assert is_moving(theirs, ours, NOW, GRACE) is moving


def test_a_record_without_an_invoice_is_told_unless_its_draft_was_discarded() -> None:
    found = without_invoice(held(Status.AWAITING_APPROVAL))
    assert found is not None
    assert (found.difference, found.event) == (Difference.RECORD_WITHOUT_INVOICE, None)
    assert f"billhook invoice cancel {KEY}" in found.next_step
    assert without_invoice(held(Status.REJECTED)) is None
    assert without_invoice(held(Status.CANCELLED)) is None


def test_a_field_that_was_emptied_there_is_emptied_here() -> None:
    ours = held(events=(amended(10, "PO-1"),))
    [found] = compare(remote(), ours, NOW)
    assert found.event is not None
    assert found.event.data.changes is not None
    assert (found.event.data.changes["po_number"].to, found.event.created_at > at(10)) == (None, True)


VALUES = st.sampled_from(["A", "B", "C"])


@given(st.lists(VALUES, min_size=1, max_size=5), st.data())
def test_whichever_webhooks_were_lost_the_derived_event_gives_the_apis_value_and_loses_to_every_late_one(
    values: list[str], data: st.DataObject
) -> None:
    """Amendments of one field in their true order; some arrive, we reconcile, then the rest arrives in any order."""
    truth = [amended(10 * (place + 1), value, f"evt_{place}") for place, value in enumerate(values)]
    arrived = data.draw(st.lists(st.sampled_from(truth), unique_by=lambda one: one.event.id))
    ours = held(events=tuple(arrived))
    theirs = remote("sent", recipient_fields={"po_number": values[-1]})
    healed = fed(ours, compare(theirs, ours, NOW))
    assert healed.life("inv_1", 1).fields["po_number"].value == values[-1]
    assert compare(theirs, healed, NOW) == []
    late = [one for one in truth if one not in arrived]
    everything = [one.event for one in (*healed.events, *data.draw(st.permutations(late)))]
    settled = fold(everything, version=1, external_id="inv_1")
    assert settled.fields["po_number"].value == values[-1]
    assert (settled.fields["po_number"].at == truth[-1].event.created_at) or truth[-1] not in late


def test_a_late_true_amendment_between_two_runs_is_healed_anew_by_another_event() -> None:
    """B at 20 comes late over a derived C, whose true event is lost for good: the next run derives C after it."""
    theirs = remote("sent", recipient_fields={"po_number": "C"})
    first = fed(held(events=(amended(10, "A", "e1"),)), compare(theirs, held(events=(amended(10, "A", "e1"),)), NOW))
    late = replace(first, events=(*first.events, amended(20, "B", "e2")))
    assert late.life("inv_1", 1).fields["po_number"].value == "B"
    second = fed(late, compare(theirs, late, NOW))
    assert second.life("inv_1", 1).fields["po_number"].value == "C"
    assert len({one.event.id for one in second.events}) == 4


def test_a_derived_approval_and_the_true_one_are_one_approval_in_any_order() -> None:
    [found] = compare(remote("approved"), held(), NOW)
    assert found.event is not None
    true = told(EventType.APPROVED, 100.0001).event
    for order in permutations([found.event, true]):
        life = fold(order, version=1, external_id="inv_1")
        assert life.approved_at == at(100)
        assert sorted(fate.value for fate, _ in life.fates.values()) == ["applied", "ignored"]


def test_ids_say_what_happened_and_stay_within_what_the_table_holds() -> None:
    long = "i" * 200
    theirs = remote("approved", external_id=long)
    [found] = compare(theirs, held(external_id=long), NOW)
    assert found.event is not None
    assert len(found.event.id) <= 200
    assert found.event.by_reconciliation
    [short] = compare(remote("approved"), held(), NOW)
    assert short.event is not None
    assert short.event.id == "reconcile:inv_1:v1:approved"
