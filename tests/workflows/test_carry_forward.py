"""What a recipient amended is on the next invoice, whole invoices long: on a month's usage invoices as on any other."""

import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from records.tokens import Scope
from tests.stack import WEBHOOK_SECRET, Stack, assert_eventually, running_stack

GIVEN: dict[str, Any] = {
    "po_number": "PO-7",
    "billing_entity": "Acme Holding",
    "address_line1": "1 Quay",
    "address_city": "Oslo",
    "ap_contact_name": "Ida",
    "ap_contact_email": "ida@acme.example",
    "tax_id": "NO 912",
}
ON_THE_INVOICE: dict[str, Any] = {
    "po_number": "PO-7",
    "billing_entity": "Acme Holding",
    "address": {"line1": "1 Quay", "city": "Oslo"},
    "ap_contact": {"name": "Ida", "email": "ida@acme.example"},
    "tax_id": "NO 912",
}


@pytest.fixture
def subs() -> tuple[str, str]:
    """Two subscriptions of this test alone: the engine keeps the workflows of the tests before it."""
    run = uuid.uuid4().hex[:8]
    return f"sub_1_{run}", f"sub_2_{run}"


async def usage_invoice(stack: Stack, subscription: str, period: str, price: str = "42.00") -> str:
    """As a month's run builds it, once it was sent."""
    body = {
        "event_id": f"usage:{subscription}:{period}", "occurred_at": "2026-11-01T08:00:00Z", "customer_id": "acme",
        "currency": "USD", "subscription_id": subscription, "period": period,
        "line_items": [{"description": "api", "quantity": "1", "unit_price": price}],
    }  # fmt: skip
    answer = await stack.api.post("/triggers/usage", json=body)
    assert answer.status_code == 202, answer.text
    key = str(answer.json()["key"])
    await stack.until(key, "sent", "awaiting_approval")
    return key


async def at_the_api(stack: Stack, key: str) -> dict[str, Any]:
    """The recipient-owned fields that the API holds of it, without what is empty."""
    (found,) = [one for one in (await stack.truth())["invoices"] if one["reference"] == key]
    held = {**found["recipient"], "po_number": found.get("po_number")}
    return {name: _filled(held[name]) for name in ON_THE_INVOICE if _filled(held.get(name))}


def _filled(value: Any) -> Any:
    return {name: part for name, part in value.items() if part} if isinstance(value, dict) else value


def holds(stack: Stack, key: str, **fields: Any) -> Callable[[], Awaitable[bool]]:
    """Whether our record of the invoice has heard of these."""

    async def look() -> bool:
        recipient = (await stack.invoice(key))["recipient"]
        return all(_filled(recipient.get(name)) == value for name, value in fields.items())

    return look


async def hears_late(stack: Stack, key: str) -> None:
    """The webhook of its newest amendment comes now; it was lost at its time."""
    told = [one for one in (await stack.truth())["events"] if one["type"] == "invoice.amended"]
    event = next(one for one in reversed(told) if one["data"]["reference"] == key)
    body, now = json.dumps({name: value for name, value in event.items() if name != "deliveries"}), datetime.now(UTC)
    headers = {
        "webhook-id": event["id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(WEBHOOK_SECRET).sign(event["id"], now, body),
        "authorization": "",
    }
    answer = await stack.api.post("/webhooks/jupiter", content=body, headers=headers)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    ("carry_po", "has_po"), [("customer", (True, True)), ("source", (True, False)), ("never", (False, False))]
)
async def test_the_next_month_s_invoice_has_all_that_was_given_and_nothing_that_was_not(
    temporal_address: str, tmp_path: Path, carry_po: str, has_po: tuple[bool, bool], subs: tuple[str, str]
) -> None:
    async with running_stack(temporal_address, tmp_path, carry_po=carry_po) as stack:
        await stack.customer()
        first = await usage_invoice(stack, subs[0], "2026-09")
        assert await at_the_api(stack, first) == {}
        await stack.recipient(first, "amend", **GIVEN)
        await assert_eventually(holds(stack, first, **ON_THE_INVOICE))
        await stack.recipient(first, "approve", version="1")
        await stack.until(first, "billed")
        rest = {name: value for name, value in ON_THE_INVOICE.items() if name != "po_number"}
        for subscription, carries in zip(subs, has_po, strict=True):
            key = await usage_invoice(stack, subscription, "2026-10")
            assert await at_the_api(stack, key) == rest | ({"po_number": "PO-7"} if carries else {})


async def test_an_older_amendment_that_is_heard_of_later_is_on_no_next_invoice(
    stack: Stack, subs: tuple[str, str]
) -> None:
    await stack.customer()
    older, newer = await usage_invoice(stack, subs[0], "2026-09"), await usage_invoice(stack, subs[1], "2026-09")
    await stack.faults(seed=1, webhook_drop_rate=1.0)
    await stack.recipient(older, "amend", tax_id="OLD", billing_entity="Old Ltd")
    await stack.faults()
    await stack.recipient(newer, "amend", tax_id="NEW")
    await assert_eventually(holds(stack, newer, tax_id="NEW"))
    await hears_late(stack, older)
    await assert_eventually(holds(stack, older, tax_id="OLD"))
    await stack.recipient(older, "approve", version="1")
    await stack.until(older, "billed")
    key = await usage_invoice(stack, subs[0], "2026-10")
    assert await at_the_api(stack, key) == {"tax_id": "NEW", "billing_entity": "Old Ltd"}


async def test_what_an_invoice_only_carried_overwrites_nothing_when_it_is_approved_later(
    stack: Stack, subs: tuple[str, str]
) -> None:
    """The second invoice goes out with the first one's value, which is changed then; its approval changes nothing."""
    await stack.customer()
    first = await usage_invoice(stack, subs[0], "2026-09")
    await stack.recipient(first, "amend", tax_id="OLD")
    await assert_eventually(holds(stack, first, tax_id="OLD"))
    second = await usage_invoice(stack, subs[0], "2026-10")
    await stack.recipient(first, "amend", tax_id="NEW")
    await assert_eventually(holds(stack, first, tax_id="NEW"))
    await stack.recipient(second, "approve", version="1")
    await stack.until(second, "billed")
    assert await at_the_api(stack, second) == {"tax_id": "OLD"}
    third = await usage_invoice(stack, subs[0], "2026-11")
    assert await at_the_api(stack, third) == {"tax_id": "NEW"}


async def test_an_edited_draft_carries_what_was_given_while_it_waited_and_nobody_is_told_it_was_read_back(
    stack: Stack, subs: tuple[str, str]
) -> None:
    await stack.customer()
    first = await usage_invoice(stack, subs[0], "2026-09")
    await stack.recipient(first, "amend", tax_id="OLD")
    await assert_eventually(holds(stack, first, tax_id="OLD"))
    waiting = await usage_invoice(stack, subs[0], "2026-10", price="90000.00")
    await stack.recipient(first, "amend", tax_id="NEW")
    await assert_eventually(holds(stack, first, tax_id="NEW"))
    seen = await stack.until(waiting, "awaiting_approval")
    patch = {"line_items": [{"description": "api", "quantity": "1", "unit_price": "80000.00"}]}
    decision = {"action": "approve", "revision": seen["revision"], "note": "agreed", "patch": patch}
    dana = await stack.token("dana", Scope.APPROVE, Scope.READ)
    answer = await stack.api.post(f"/invoices/{waiting}/decision", json=decision, headers=dana)
    assert answer.is_success, answer.text
    await stack.until(waiting, "sent")
    assert await at_the_api(stack, waiting) == {"tax_id": "NEW"}
    await stack.recipient(waiting, "approve", version="1")
    billed = await stack.until(waiting, "billed")
    assert not [entry["text"] for entry in billed["timeline"] if "read back" in entry["text"]]
