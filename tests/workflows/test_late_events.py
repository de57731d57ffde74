"""Webhooks that come when everything is over: nothing is lost, nothing is undone, and the timeline says so."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from records.sql import table
from records.tables import CrmField
from tests.stack import WEBHOOK_SECRET, Stack, assert_eventually

_F = table(CrmField)


async def _held_back(stack: Stack) -> None:
    """From now on the API's webhooks reach nobody."""
    await stack.faults(webhook_drop_rate=1.0)


async def _event(stack: Stack, kind: str) -> dict[str, Any]:
    """What the API would have told: its own event."""
    found = [one for one in (await stack.truth())["events"] if one["type"] == kind]
    return {name: value for name, value in found[-1].items() if name != "deliveries"}


async def _deliver(stack: Stack, event: dict[str, Any]) -> None:
    body, now = json.dumps(event), datetime.now(UTC)
    signature = Webhook(WEBHOOK_SECRET).sign(event["id"], now, body)
    headers = {
        "webhook-id": event["id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "authorization": "",
    }
    assert (await stack.api.post("/webhooks/jupiter", content=body, headers=headers)).status_code == 202


async def _fate(stack: Stack, event: dict[str, Any], *wanted: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        listed = (await stack.api.get("/events", params={"limit": 100})).json()["data"]
        return next((one for one in listed if one["id"] == event["id"] and one["fate"] in wanted), None)

    found: dict[str, Any] = await assert_eventually(look)
    return found


async def _crm(stack: Stack, customer_id: str = "acme") -> dict[str, Any]:
    async with stack.database.session() as session:
        rows = await session.execute(select(_F.c.field, _F.c.value).where(_F.c.customer_id == customer_id))
        return {row.field: row.value for row in rows}


async def test_an_amendment_heard_of_after_the_end_reaches_crm_and_timeline_and_leaves_the_journal(
    stack: Stack,
) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await _held_back(stack)
    await stack.recipient(key, "amend", po_number="PO-77", tax_id="DE123")
    await stack.recipient(key, "approve", version="1")
    await _deliver(stack, await _event(stack, "invoice.approved"))
    billed = await stack.until(key, "billed")
    assert billed["recipient"]["po_number"] == "PO-77", "read back from the locked version"
    journal = stack.settings.ledger.read_bytes()
    late = await _event(stack, "invoice.amended")
    await _deliver(stack, late)
    await _fate(stack, late, "applied")
    found = await stack.invoice(key)
    assert await _crm(stack) == {"po_number": "PO-77", "tax_id": "DE123"}
    assert stack.settings.ledger.read_bytes() == journal
    assert found["status"] == "billed"
    (told,) = [entry["text"] for entry in found["timeline"] if entry["kind"] == "late"]
    assert told.startswith("amended V1 came late, when the invoice was billed already")
    assert told.endswith("po_number, tax_id to the CRM and the customer record")


async def test_a_late_amendment_counts_by_its_own_time_and_not_over_a_newer_one(stack: Stack) -> None:
    await stack.customer()
    first, second = await stack.milestone(), await stack.milestone()
    for key in (first, second):
        await stack.until(key, "sent")
    await _held_back(stack)
    await stack.recipient(first, "amend", po_number="PO-OLD")
    late = await _event(stack, "invoice.amended")
    await stack.recipient(second, "amend", po_number="PO-NEW")
    await _deliver(stack, await _event(stack, "invoice.amended"))
    await assert_eventually(lambda: _has(stack, "PO-NEW"))
    await stack.recipient(first, "approve", version="1")
    await _deliver(stack, await _event(stack, "invoice.approved"))
    await stack.until(first, "billed")
    await _deliver(stack, late)
    await _fate(stack, late, "applied")
    assert await _crm(stack) == {"po_number": "PO-NEW"}


async def _has(stack: Stack, po_number: str) -> bool:
    return (await _crm(stack)).get("po_number") == po_number


async def test_an_amendment_heard_of_after_a_void_still_reaches_the_crm(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await _held_back(stack)
    await stack.recipient(key, "amend", tax_id="DE999")
    late = await _event(stack, "invoice.amended")
    answer = await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "billed by hand"})
    assert answer.is_success, answer.text
    await stack.until(key, "cancelled")
    await _deliver(stack, await _event(stack, "invoice.voided"))
    await _deliver(stack, late)
    await _fate(stack, late, "applied")
    assert (await stack.invoice(key))["recipient"]["tax_id"] == "DE999"
    assert await _crm(stack) == {"tax_id": "DE999"}


async def test_a_late_approval_of_a_cancelled_invoice_waits_for_a_person(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    sent = await stack.until(key, "sent")
    assert (await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "wrong"})).is_success
    await stack.until(key, "cancelled")
    data = {"invoice_id": sent["external_id"], "reference": key, "version": 1, "status": "approved"}
    approval = {"id": "evt_late", "type": "invoice.approved", "created_at": datetime.now(UTC).isoformat(), "data": data}
    await _deliver(stack, approval)
    found = await _fate(stack, approval, "quarantined")
    assert "a person must look" in found["reason"]
    assert (await stack.invoice(key))["status"] == "cancelled"


async def test_an_open_case_ends_with_its_invoice(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await stack.recipient(key, "change-request", message="cheaper")
    await stack.until(key, "change_requested")
    assert (await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "wrong"})).is_success
    await stack.until(key, "cancelled")

    async def withdrawn() -> bool:
        return [case["status"] for case in (await stack.invoice(key))["cases"]] == ["withdrawn"]

    await assert_eventually(withdrawn)


async def test_a_request_that_is_told_twice_counts_from_its_first_telling_whichever_comes_first(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await _held_back(stack)
    await stack.recipient(key, "change-request", message="somewhat less, please")
    asked = await _event(stack, "invoice.change_requested")
    repeated = asked | {"id": "evt_repeated", "created_at": "2027-01-04T12:00:00.000000Z"}
    await _deliver(stack, repeated)
    await _fate(stack, repeated, "applied")
    await _deliver(stack, asked)
    await _fate(stack, asked, "applied")
    assert "it repeats" in (await _fate(stack, repeated, "ignored"))["reason"]
    found = await stack.invoice(key)
    (case,) = found["cases"]
    assert datetime.fromisoformat(case["opened_at"]) == datetime.fromisoformat(asked["created_at"])
    assert case["status"] == "open"
    assert datetime.fromisoformat(case["deadline"]) < datetime(2027, 1, 1, tzinfo=UTC)
    assert case["deadline"][:10] in found["waiting_for"]
    assert sum(entry["kind"] == "case" for entry in found["timeline"]) == 1
