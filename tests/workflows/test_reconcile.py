"""Reconciliation on the whole stack: no webhook arrives, and still everything does."""

import uuid
from datetime import timedelta
from typing import Any

from billing.ownership import Carry
from billing.reconcile_report import Finding, ReconcileReport
from records.customers import carry_forward
from tests.stack import Stack, assert_eventually
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
