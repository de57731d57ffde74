"""One invoice's life on the real engine, against the real sandbox, with real mails and records."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from temporalio.client import WorkflowHandle

from bench.budget import billed_actions
from records.tables import DealRow
from records.tokens import Scope
from tests.conftest import program
from tests.quick import RetriedAtOnce
from tests.stack import Stack, assert_eventually, running_stack
from workflows import visibility


async def _approver(stack: Stack, name: str = "dana") -> dict[str, str]:
    return await stack.token(name, Scope.APPROVE, Scope.READ)


async def _decide(stack: Stack, key: str, headers: dict[str, str], **body: Any) -> Any:
    return await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)


async def test_a_milestone_ends_billed_within_its_budget(stack: Stack) -> None:
    """Viewed, amended, approved: the deal is billed, the journal agrees, at most 18 billed actions and 80 events."""
    await stack.customer()
    key = await stack.milestone(deal_id="deal_7", amount="12500.00")
    sent = await stack.until(key, "sent")
    assert sent["link"]
    await assert_eventually(lambda: _mails(stack, 1))
    await stack.recipient(key)
    await stack.until(key, "viewed")
    await stack.recipient(key, "amend", po_number="PO-88", billing_entity="Acme Holding")

    async def amended() -> bool:
        return bool((await stack.invoice(key))["recipient"].get("po_number") == "PO-88")

    await assert_eventually(amended)
    await stack.recipient(key, "approve", version="1")
    billed = await stack.until(key, "billed")

    assert billed["total"] == "12500.00"
    assert [entry["text"] for entry in billed["timeline"] if entry["kind"] == "mail"] == [
        "link of V1 mailed to ap@acme.example"
    ]
    assert billed["recipient"]["billing_entity"] == "Acme Holding"
    async with stack.database.session() as session:
        deal = (await session.execute(select(DealRow).where(DealRow.id == "deal_7"))).scalar_one()
    assert (deal.key, deal.total_minor) == (key, 1_250_000)
    journal = stack.settings.ledger
    assert journal.read_text().count(f'billhook_key: "{key}"') == 1
    checked = await asyncio.to_thread(
        subprocess.run, [program("bean-check"), str(journal)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    handle = stack.client.get_workflow_handle(key)
    history = await handle.fetch_history()
    assert len(history.events) <= 80
    assert billed_actions(history) <= 18, billed_actions(history)


async def _mails(stack: Stack, count: int) -> bool:
    return len(stack.mailbox.mails) >= count


async def test_25000_00_goes_out_and_25000_01_waits(stack: Stack) -> None:
    await stack.customer()
    at, over = await stack.milestone(amount="25000.00"), await stack.milestone(amount="25000.01")
    await stack.until(at, "sent")
    waiting = await stack.until(over, "awaiting_approval")
    assert [reason["rule"] for reason in waiting["assessment"]["reasons"]] == ["over_threshold"]
    assert set(waiting["available_actions"]) == {"approve", "reject", "delegate", "cancel"}


async def test_an_enterprise_customers_first_invoice_waits_and_the_second_does_not(stack: Stack) -> None:
    await stack.customer(segment="enterprise")
    first = await stack.milestone()
    waiting = await stack.until(first, "awaiting_approval")
    approver = await _approver(stack)
    answer = await _decide(stack, first, approver, action="approve", revision=waiting["revision"], note="known to us")
    assert answer.status_code == 200, answer.text
    await stack.until(first, "sent")
    await stack.until(await stack.milestone(), "sent")


async def test_a_signal_from_the_temporal_ui_approves(stack: Stack) -> None:
    await stack.customer()
    await _approver(stack)
    key = await stack.milestone(amount="30000.00")
    await stack.until(key, "awaiting_approval")
    await stack.client.get_workflow_handle(key).signal("approve", {"approver": "dana"})
    sent = await stack.until(key, "sent")
    assert [(d["action"], d["actor"], d["channel"]) for d in sent["decisions"]] == [("approve", "dana", "temporal")]


async def test_the_command_line_approves(stack: Stack) -> None:
    await stack.customer()
    headers = await _approver(stack)
    key = await stack.milestone(amount="30000.00")
    await stack.until(key, "awaiting_approval")
    token = headers["Authorization"].removeprefix("Bearer ")
    env = {"BILLHOOK_API_URL": stack.settings.public_url, "BILLHOOK_TOKEN": token, "PATH": ""}
    command = [program("billhook"), "invoice", "approve", key, "--note", "as agreed"]
    done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sent = await stack.until(key, "sent")
    assert [(d["actor"], d["note"]) for d in sent["decisions"]] == [("dana", "as agreed")]


async def test_a_signal_from_somebody_who_is_no_approver_changes_nothing(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone(amount="30000.00")
    await stack.until(key, "awaiting_approval")
    await stack.client.get_workflow_handle(key).signal("approve", {"approver": "mallory"})

    async def refused() -> bool:
        return any(entry["kind"] == "refused" for entry in (await stack.invoice(key))["timeline"])

    await assert_eventually(refused)
    assert (await stack.invoice(key))["status"] == "awaiting_approval"


async def test_a_stale_decision_is_refused_naming_the_present_revision(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone(amount="30000.00")
    present = (await stack.until(key, "awaiting_approval"))["revision"]
    answer = await _decide(stack, key, approver, action="approve", revision="0123456789abcdef", note="")
    assert answer.status_code == 409
    assert present in answer.json()["detail"]
    assert (await stack.invoice(key))["status"] == "awaiting_approval"


async def test_an_edit_at_approval_is_what_goes_out(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone(amount="30000.00")
    seen = (await stack.until(key, "awaiting_approval"))["revision"]
    patch = {"discount": {"type": "percent", "value": "10"}}
    answer = await _decide(stack, key, approver, action="approve", revision=seen, note="as agreed", patch=patch)
    assert answer.status_code == 200, answer.text
    sent = await stack.until(key, "sent")
    assert (sent["total"], sent["revision"] == seen) == ("27000.00", False)
    truth = (await stack.truth())["invoices"]
    assert [invoice["total_cents"] for invoice in truth] == [2_700_000]


async def test_a_rejected_draft_is_gone_and_used_no_number(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone(amount="30000.00")
    seen = (await stack.until(key, "awaiting_approval"))["revision"]
    silent = await _decide(stack, key, approver, action="reject", revision=seen, note="")
    assert silent.status_code == 422
    assert "note" in silent.text
    await _decide(stack, key, approver, action="reject", revision=seen, note="not yet due")
    await stack.until(key, "rejected")
    await stack.assert_no_number_was_used()


async def test_nobody_approves_what_he_triggered(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone(amount="30000.00")
    seen = (await stack.until(key, "awaiting_approval"))["revision"]
    own = {"Authorization": stack.api.headers["Authorization"]}
    answer = await _decide(stack, key, own, action="approve", revision=seen, note="")
    assert answer.status_code == 403


async def test_a_cancelled_invoice_is_voided_and_keeps_its_number(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    answer = await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "wrong project"})
    assert answer.is_success, answer.text
    await stack.until(key, "cancelled")
    truth = (await stack.truth())["invoices"]
    assert [(invoice["status"], invoice["number"] is not None) for invoice in truth] == [("voided", True)]


async def _asked(stack: Stack, key: str, message: str) -> str:
    """The recipient asks for a change; where that is answered."""
    assert (await stack.recipient(key, "change-request", message=message)).is_success
    view = await stack.until(key, "change_requested")
    [case] = [case for case in view["cases"] if case["status"] == "open"]
    return f"/invoices/{key}/change-requests/{case['id']}/decision"


async def test_a_change_request_parks_visibly_until_it_is_declined(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone()
    await stack.until(key, "sent")
    answer = await stack.recipient(key, "change-request", message="Please <b>split</b> this")
    assert answer.is_success, answer.text
    parked = await stack.until(key, "change_requested")
    case = parked["cases"][0]
    assert case["owner"]
    assert case["deadline"]
    path = f"/invoices/{key}/change-requests/{case['id']}/decision"
    declined = await stack.api.post(path, json={"action": "decline", "note": "as ordered"}, headers=approver)
    assert declined.is_success, declined.text
    await stack.until(key, "sent", "viewed")
    await stack.recipient(key, "approve", version="1")
    await stack.until(key, "billed")


async def test_an_accepted_change_makes_the_next_version_and_a_raised_total_is_assessed_again(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone(amount="24000.00")
    await stack.until(key, "sent")
    path = await _asked(stack, key, "add the workshop")
    lines = [{"description": "Design and workshop", "quantity": "1", "unit_price": "26000.00"}]
    body = {"action": "accept", "note": "agreed", "patch": {"line_items": lines}}
    accepted = await stack.api.post(path, json=body, headers=approver)
    assert accepted.is_success, accepted.text
    waiting = await stack.until(key, "awaiting_approval")
    await _decide(stack, key, approver, action="approve", revision=waiting["revision"], note="")
    second = await stack.until(key, "sent")
    assert (second["version"], second["total"]) == (2, "26000.00")
    await stack.recipient(key, "approve", version="2")
    assert (await stack.until(key, "billed"))["total"] == "26000.00"


async def test_a_refused_mail_parks_the_invoice_and_retry_resumes_it(stack: Stack) -> None:
    await stack.customer()
    stack.mailbox.refusing = True
    key = await stack.milestone()
    parked = await stack.until(key, "needs_attention")
    assert parked["failed_step"] == "send_mail"
    assert set(parked["available_actions"]) == {"retry", "abandon", "cancel"}
    stack.mailbox.refusing = False
    answer = await stack.api.post(f"/invoices/{key}/retry", json={"reason": "mailbox is back"})
    assert answer.is_success, answer.text
    await stack.until(key, "sent")
    await assert_eventually(lambda: _mails(stack, 1))
    assert len(stack.mailbox.mails) == 1


async def test_a_draft_that_was_changed_at_the_api_is_parked_before_its_link_leaves(stack: Stack) -> None:
    await stack.customer(email="ap@acme.example")
    key = await stack.milestone(amount="30000.00")
    approver = await _approver(stack)
    seen = (await stack.until(key, "awaiting_approval"))["revision"]
    truth = (await stack.truth())["invoices"]
    await stack.jupiter.patch(
        f"/api/v1/invoices/{truth[0]['id']}",
        json={"line_items": [{"description": "meddled with", "quantity": 1, "unit_price_cents": 100}]},
        headers={"Idempotency-Key": "by-hand"},
    )
    await _decide(stack, key, approver, action="approve", revision=seen, note="")
    parked = await stack.until(key, "needs_attention")
    assert parked["failed_step"] == "issue"
    assert "1.00 USD" in parked["waiting_for"]
    answer = await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "not what we agreed"})
    assert answer.is_success, answer.text
    await stack.until(key, "cancelled")
    assert [invoice["status"] for invoice in (await stack.truth())["invoices"]] == ["voided"]


async def test_a_second_answer_to_a_change_request_is_refused(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone()
    await stack.until(key, "sent")
    path = await _asked(stack, key, "cheaper")
    body = {"action": "accept", "note": "ok", "patch": {"discount": {"type": "percent", "value": "5"}}}
    answers = await asyncio.gather(*(stack.api.post(path, json=body, headers=approver) for _ in range(4)))
    assert sorted(answer.is_success for answer in answers) == [False, False, False, True]

    waiting = await stack.until(key, "awaiting_approval")
    assert [reason["rule"] for reason in waiting["assessment"]["reasons"]] == ["change_history"]
    await _decide(stack, key, approver, action="approve", revision=waiting["revision"], note="")
    await stack.until(key, "sent")
    assert [invoice["version"] for invoice in (await stack.truth())["invoices"]] == [2]


async def test_a_rejected_next_version_leaves_the_issued_one_standing(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone(amount="20000.00")
    await stack.until(key, "sent")
    path = await _asked(stack, key, "more")
    lines = [{"description": "More", "quantity": "1", "unit_price": "40000.00"}]
    body = {"action": "accept", "note": "ok", "patch": {"line_items": lines}}
    assert (await stack.api.post(path, json=body, headers=approver)).is_success
    waiting = await stack.until(key, "awaiting_approval")
    await _decide(stack, key, approver, action="reject", revision=waiting["revision"], note="too much")
    standing = await stack.until(key, "sent", "viewed")
    assert (standing["version"], standing["total"]) == (1, "20000.00")
    assert standing["decisions"][-1]["note"] == "too much"
    assert standing["cases"][0]["answer"] == "We cannot agree to this change. The invoice stands as it was issued."
    page = (await stack.recipient(key)).text
    assert "stands as it was issued" in page
    assert "too much" not in page, "what one of us told the others is not the recipient's to read"
    await stack.recipient(key, "approve", version="1")
    assert (await stack.until(key, "billed"))["total"] == "20000.00"


async def test_what_was_rejected_and_is_asked_for_again_is_put_to_a_person_again_in_full_time(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone(amount="20000.00")
    await stack.until(key, "sent")
    lines = [{"description": "More", "quantity": "1", "unit_price": "40000.00"}]
    asked: list[dict[str, Any]] = []
    for message in ("more", "more, please"):
        path = await _asked(stack, key, message)
        body = {"action": "accept", "note": "ok", "patch": {"line_items": lines}}
        assert (await stack.api.post(path, json=body, headers=approver)).is_success
        asked.append(await stack.until(key, "awaiting_approval"))
        await _decide(stack, key, approver, action="reject", revision=asked[-1]["revision"], note="too much")
        await stack.until(key, "sent", "viewed")
    first, second = asked
    assert first["revision"] == second["revision"]
    assert first["decide_by"] < second["decide_by"]
    assert [entry["kind"] for entry in second["timeline"]].count("assessed") == 3


async def test_a_decline_that_the_recipient_has_heard_stands_though_somebody_cancels_meanwhile(stack: Stack) -> None:
    await stack.customer()
    approver = await _approver(stack)
    key = await stack.milestone()
    await stack.until(key, "sent")
    path = await _asked(stack, key, "cheaper")
    await stack.faults(latency_ms=1000)
    body = {"action": "decline", "note": "as ordered"}
    declining = asyncio.create_task(stack.api.post(path, json=body, headers=approver))
    await assert_eventually(lambda: _under_way(stack, key, "decline_change"))
    cancelled = await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "not ours"})
    assert (cancelled.is_success, (await declining).is_success) == (True, True)
    ended = (await stack.until(key, "cancelled"))["cases"][0]
    assert (ended["status"], ended["answer"]) == ("declined", "as ordered")


async def _under_way(stack: Stack, key: str, name: str) -> bool:
    found = await stack.client.get_workflow_handle(key).describe()
    return any(one.activity_type.name == name for one in found.raw_description.pending_activities)


async def test_who_abandons_what_was_approved_meanwhile_hears_so_and_no_failed_step_is_left(stack: Stack) -> None:
    await stack.customer()
    stack.mailbox.refusing = True
    key = await stack.milestone()
    await stack.until(key, "needs_attention")
    await stack.faults(webhook_drop_rate=1.0)
    await stack.recipient(key, "approve", version="1")
    answer = await stack.api.post(f"/invoices/{key}/retry", json={"abandon": True, "reason": "give it up"})
    assert answer.status_code == 409, answer.text
    assert "approved" in answer.json()["detail"]
    stack.mailbox.refusing = False
    again = await stack.until(key, "needs_attention", "sent")
    if again["status"] == "needs_attention":
        await stack.api.post(f"/invoices/{key}/retry", json={"reason": "mailbox is back"})
    assert (await stack.until(key, "sent"))["failed_step"] is None


async def test_a_cancel_while_the_api_is_down_leaves_no_draft_behind(stack: Stack) -> None:
    await stack.customer()
    await stack.faults(seed=1, error_rate=1.0)
    key = await stack.milestone()
    await stack.until(key, "drafting")
    cancelling = asyncio.create_task(stack.api.post(f"/invoices/{key}/cancel", json={"reason": "not ours"}))
    await stack.faults()
    answer = await cancelling
    assert answer.is_success, answer.text
    await stack.until(key, "cancelled")
    assert {invoice["status"] for invoice in (await stack.truth())["invoices"]} <= {"voided", "discarded"}


async def test_amended_fields_go_onto_the_next_invoice(stack: Stack) -> None:
    await stack.customer()
    first = await stack.milestone()
    await stack.until(first, "sent")
    await stack.recipient(first, "amend", billing_entity="Acme Holding", tax_id="DE123")
    await stack.recipient(first, "approve", version="1")
    await stack.until(first, "billed")
    given = (await stack.api.get("/customers/acme")).json()["recipient_fields"]
    assert given == {"billing_entity": "Acme Holding", "tax_id": "DE123"}
    second = await stack.milestone()
    await stack.until(second, "sent")
    by_reference = {invoice["reference"]: invoice for invoice in (await stack.truth())["invoices"]}
    assert by_reference[second]["recipient"]["billing_entity"] == "Acme Holding"
    assert by_reference[second]["recipient"]["tax_id"] == "DE123"


async def _all_sent(stack: Stack, keys: list[str]) -> None:
    """However long it takes, as long as one more is sent again and again; else says what is left, and why."""
    left = set(keys)

    async def fewer() -> bool:
        found = {key: await stack.invoice(key) for key in sorted(left)}
        told.update({key: (one["status"], one["failed_step"], one["waiting_for"]) for key, one in found.items()})
        going = {key for key, one in found.items() if one["status"] == "sent"}
        left.difference_update(going)
        return bool(going)

    told: dict[str, Any] = {}
    while left:
        try:
            await assert_eventually(fewer, patience_s=60)
        except AssertionError:
            raise AssertionError(f"these are not sent: { {key: told[key] for key in left} }") from None


@pytest.mark.parametrize("count", [100])
async def test_one_draft_and_one_number_per_key_under_lost_answers_and_errors(
    temporal_address: str, tmp_path: Path, count: int
) -> None:
    """drop_after_rate 0.3 and error_rate 0.2: an answer that is never heard is no second invoice."""
    async with running_stack(temporal_address, tmp_path, interceptors=[RetriedAtOnce()]) as stack:
        await stack.customer()
        await stack.faults(seed=7, drop_after_rate=0.3, error_rate=0.2)
        keys = [await stack.milestone(project_id=f"p{n}") for n in range(count)]
        await _all_sent(stack, keys)
        await stack.faults()
        truth = await stack.truth()
    assert sorted(invoice["reference"] for invoice in truth["invoices"]) == sorted(keys)
    assert truth["numbers"]["contiguous"] is True
    assert len({invoice["number"] for invoice in truth["invoices"]}) == count


async def test_every_path_replays_without_a_cache(temporal_address: str, tmp_path: Path) -> None:
    """A worker that forgets each workflow after each task finds what is not deterministic."""
    options = {"worker_options": {"max_cached_workflows": 0}}
    async with running_stack(temporal_address, tmp_path, **options) as stack:
        await stack.customer()
        key = await stack.milestone(deal_id="deal_1", discount={"type": "flat", "value": "100.00"})
        await stack.until(key, "sent")
        await stack.recipient(key)
        await stack.recipient(key, "amend", po_number="PO-1")
        await stack.recipient(key, "approve", version="1")
        assert (await stack.until(key, "billed"))["total"] == "12400.00"


async def test_an_operator_sees_in_words_what_an_invoice_waits_for(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone(amount="30000.00")
    await stack.until(key, "awaiting_approval")
    handle: WorkflowHandle[Any, Any] = stack.client.get_workflow_handle(key)

    async def shown() -> bool:
        found = await handle.describe()
        return found.typed_search_attributes.get(visibility.STATUS) == "awaiting_approval"

    await assert_eventually(shown)
    words = await handle.query("__temporal_workflow_metadata")
    assert "over 25,000" in str(words)
