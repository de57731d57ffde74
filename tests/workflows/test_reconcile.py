"""Reconciliation on the whole stack: no webhook arrives, and still everything does."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col
from standardwebhooks.webhooks import Webhook

from billing.ownership import Carry
from billing.reconcile import Difference
from billing.reconcile_report import Finding, ReconcileReport
from records.customers import carry_forward
from records.tables import InvoiceRow
from tests.stack import WEBHOOK_SECRET, Stack, assert_eventually
from workflows.reconcile import ReconcileStart, ReconcileWorkflow


async def reconcile(stack: Stack, **changes: Any) -> ReconcileReport:
    """A run that takes nothing for fresh, since a test does not wait."""
    return await stack.client.execute_workflow(
        ReconcileWorkflow.run,
        ReconcileStart(**({"grace": timedelta()} | changes)),
        id=f"reconcile-{uuid.uuid4().hex[:8]}",
        task_queue=stack.settings.task_queue,
    )


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str | None]]:
    return [(one.difference.value, one.key) for one in findings]


async def sent(stack: Stack, **changes: Any) -> str:
    """An invoice at its recipient, whose webhooks are lost from now on."""
    await stack.customer()
    key = await stack.milestone(**changes)
    await stack.until(key, "sent")
    await stack.faults(webhook_drop_rate=1)
    return key


async def at_rest(stack: Stack) -> None:
    """Every event that was fed has its fate."""

    async def settled() -> bool:
        listed = (await stack.api.get("/events")).json()["data"]
        return all(one["fate"] in {"applied", "ignored"} for one in listed)

    await assert_eventually(settled)


async def deliver(stack: Stack, event: dict[str, Any]) -> None:
    """The webhook, as the sandbox would have sent it."""
    body, now = json.dumps(event), datetime.now(UTC)
    headers = {
        "webhook-id": event["id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(WEBHOOK_SECRET).sign(event["id"], now, body),
    }
    answer = await stack.api.post("/webhooks/jupiter", content=body, headers=headers)
    assert answer.status_code == 202, answer.text


async def derived(stack: Stack) -> list[dict[str, Any]]:
    """The events that no webhook brought."""
    listed = (await stack.api.get("/events")).json()["data"]
    return [one for one in listed if one["source"] == "reconcile"]


async def the_id(stack: Stack, key: str) -> str:
    return str((await stack.invoice(key))["external_id"])


async def test_invoices_reach_billed_by_reconciliation_alone_and_the_next_run_finds_nothing(stack: Stack) -> None:
    keys = [await sent(stack) for _ in range(3)]
    for key in keys[:2]:
        await stack.recipient(key)
        await stack.recipient(key, "amend", po_number=f"PO-{key[-4:]}")
    first = await reconcile(stack)
    assert set(told(first.healed)) == {("missed_event", key) for key in keys[:2]}
    for key in keys[:2]:
        await stack.until(key, "viewed")
        assert (await stack.invoice(key))["recipient"]["po_number"] == f"PO-{key[-4:]}"
    async with stack.database.session() as session:
        assert "po_number" in await carry_forward(session, "acme", "", Carry.CUSTOMER)
    for key in keys:
        await stack.recipient(key, "approve", version="1")
    assert len((await reconcile(stack)).healed) == 3
    for key in keys:
        billed = await stack.until(key, "billed")
        assert any("by reconciliation" in entry["text"] for entry in billed["timeline"])
    await at_rest(stack)
    last = await reconcile(stack)
    assert (last.compared, last.healed_count, last.left_count) == (3, 0, 0)


async def test_a_change_request_that_no_webhook_told_opens_its_case(stack: Stack) -> None:
    key = await sent(stack)
    await stack.recipient(key, "change-request", message="Please split it")
    report = await reconcile(stack)
    assert told(report.healed) == [("missed_event", key)]
    found = await stack.until(key, "change_requested")
    [case] = (await stack.truth())["invoices"][0]["change_requests"]
    assert [(one["id"], one["message"]) for one in found["cases"]] == [(case["id"], "Please split it")]
    await at_rest(stack)
    assert (await reconcile(stack)).healed == ()


async def test_a_void_at_the_api_ends_the_invoice_here(stack: Stack) -> None:
    key = await sent(stack)
    await stack.jupiter.post(f"/api/v1/invoices/{await the_id(stack, key)}/void", json={"reason": "mistake"})
    assert told((await reconcile(stack)).healed) == [("missed_event", key)]
    await stack.until(key, "cancelled")
    assert (await reconcile(stack)).is_in_order


async def test_a_version_made_by_hand_is_reported_every_time_and_fed_once(stack: Stack) -> None:
    key = await sent(stack)
    lines = {"line_items": [{"description": "Less", "quantity": 1, "unit_price_cents": 100}]}
    await stack.jupiter.post(f"/api/v1/invoices/{await the_id(stack, key)}/versions", json=lines)
    first = await reconcile(stack)
    assert told(first.healed) == told(first.left) == [("version_differs", key)]
    await at_rest(stack)
    second = await reconcile(stack)
    assert (second.healed, told(second.left)) == ((), [("version_differs", key)])


async def test_what_only_a_person_can_mend_is_told_with_a_step(stack: Stack) -> None:
    """A draft without a record, an invoice made by hand, a record without an invoice, a draft of another amount."""
    await stack.customer()
    await stack.faults(webhook_drop_rate=1)
    deleted, changed = [await stack.milestone(amount="30000.00") for _ in range(2)]
    for key in (deleted, changed):
        await stack.until(key, "awaiting_approval")
    await stack.jupiter.delete(f"/api/v1/invoices/{await the_id(stack, deleted)}")
    lines = [{"description": "Else", "quantity": 1, "unit_price_cents": 100}]
    await stack.jupiter.patch(f"/api/v1/invoices/{await the_id(stack, changed)}", json={"line_items": lines})
    draft = {"recipient": {"company": "X"}, "due_date": "2027-01-31", "line_items": lines}
    lost = await stack.jupiter.post("/api/v1/invoices", json=draft | {"reference": "invoice:project_9:lost"})
    by_hand = await stack.jupiter.post("/api/v1/invoices", json=draft)
    report = await reconcile(stack)
    assert report.healed == ()
    assert {(one.difference, one.external_id) for one in report.left} == {
        (Difference.DRAFT_WITHOUT_RECORD, lost.json()["id"]),
        (Difference.UNKNOWN_INVOICE, by_hand.json()["id"]),
        (Difference.RECORD_WITHOUT_INVOICE, await the_id(stack, deleted)),
        (Difference.AMOUNT_DIFFERS, await the_id(stack, changed)),
    }
    assert all(one.next_step for one in report.left)


async def test_an_approval_of_what_we_cancelled_is_told_and_not_healed(stack: Stack) -> None:
    """The void never reached the API: a hand put the invoice back, or another system restored it."""
    key = await sent(stack)
    await stack.recipient(key, "approve", version="1")
    async with stack.database.transaction() as session:
        await session.execute(update(InvoiceRow).values(status="cancelled").where(col(InvoiceRow.key) == key))
    report = await reconcile(stack)
    assert (report.healed, told(report.left)) == ((), [("state_behind", key)])
    assert "billed" not in (await stack.invoice(key))["status"]


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(stack: Stack) -> None:
    key = await sent(stack)
    await stack.recipient(key, "approve", version="1")
    report = await reconcile(stack, dry_run=True)
    assert told(report.healed) == [("missed_event", key)]
    assert await derived(stack) == []


async def test_what_changed_a_moment_ago_is_left_for_the_next_run(stack: Stack) -> None:
    key = await sent(stack)
    await stack.recipient(key, "approve", version="1")
    report = await reconcile(stack, grace=timedelta(minutes=5))
    assert (report.moving, report.compared, report.healed) == (1, 0, ())


async def test_the_true_webhook_that_comes_late_changes_nothing_twice(stack: Stack) -> None:
    key = await sent(stack)
    await stack.recipient(key, "amend", po_number="PO-7")
    await reconcile(stack)
    await assert_eventually(lambda: _has_po(stack, key, "PO-7"))
    [true] = [event for event in (await stack.truth())["events"] if event["type"] == "invoice.amended"]
    await deliver(stack, {name: true[name] for name in ("id", "type", "created_at", "data")})
    await at_rest(stack)
    assert (await stack.invoice(key))["recipient"]["po_number"] == "PO-7"
    assert (await reconcile(stack)).healed == ()


async def _has_po(stack: Stack, key: str, value: str) -> bool:
    found = await stack.invoice(key)
    return bool(found["recipient"]["po_number"] == value)


async def test_runs_at_the_same_time_over_a_failing_api_heal_everything_once(stack: Stack) -> None:
    keys = [await sent(stack) for _ in range(4)]
    for key in keys:
        await stack.recipient(key)
        await stack.recipient(key, "amend", tax_id="DE123")
    await stack.faults(seed=7, error_rate=0.2, drop_after_rate=0.2, drop_before_rate=0.1, webhook_drop_rate=1)
    await asyncio.gather(*(reconcile(stack) for _ in range(3)))
    await stack.faults(webhook_drop_rate=1)
    for key in keys:
        await stack.until(key, "viewed")
    await at_rest(stack)
    assert sorted((one["type"], one["reference"]) for one in await derived(stack)) == sorted(
        (kind, key) for key in keys for kind in ("invoice.amended", "invoice.viewed")
    )
    assert (await reconcile(stack)).healed == ()


async def test_carried_fields_are_not_taken_for_what_the_recipient_gave(stack: Stack) -> None:
    """The first invoice's recipient names a PO; it goes out with the second, whose recipient has said nothing yet."""
    first = await sent(stack)
    await stack.recipient(first, "amend", po_number="PO-7")
    await reconcile(stack)
    await assert_eventually(lambda: _has_po(stack, first, "PO-7"))
    await at_rest(stack)
    second = await stack.milestone()
    await stack.until(second, "sent")
    assert (await reconcile(stack)).healed == ()
    await stack.recipient(second, "amend", po_number="PO-8")
    assert told((await reconcile(stack)).healed) == [("missed_event", second)]


async def test_a_long_account_is_read_page_by_page_to_its_end(stack: Stack) -> None:
    lines = [{"description": "Else", "quantity": 1, "unit_price_cents": 100}]
    draft = {"recipient": {"company": "X"}, "due_date": "2027-01-31", "line_items": lines}
    for _ in range(101):
        await stack.jupiter.post("/api/v1/invoices", json=draft)
    report = await reconcile(stack)
    assert (report.pages, report.compared, report.left_count) == (2, 101, 101)
