"""Invoices in the states that a person at the desk meets, brought there by the real parts."""

import json
import uuid
from typing import Any, Final

from billing.events import InvoiceEvent
from billing.record import Fate
from records import events
from records.tokens import Scope
from tests.stack import Stack, assert_eventually

PROPOSED: Final = [
    {"description": "Design approved", "quantity": 1, "unit_price_cents": 1_000_000},
    {"description": "Workshop, half a day", "quantity": 0.5, "unit_price_cents": 300_000},
]


async def to_approve(stack: Stack, **changes: Any) -> str:
    """Over the threshold."""
    key = await stack.milestone(**{"amount": "30000.00", **changes})
    await stack.until(key, "awaiting_approval")
    return key


async def sent(stack: Stack, **changes: Any) -> str:
    key = await _triggered(stack, changes)
    await stack.until(key, "sent")
    return key


async def _triggered(stack: Stack, changes: dict[str, Any]) -> str:
    """Of a customer of its own unless one is named: whoever asks for a change is judged otherwise next time."""
    customer = changes.pop("customer_id", "") or await stack.customer(f"c-{uuid.uuid4().hex[:8]}")
    return await stack.milestone(customer_id=customer, **changes)


async def change_requested(
    stack: Stack, message: str = "Please split it", trigger: dict[str, Any] | None = None, **proposed: Any
) -> str:
    key = await sent(stack, **(trigger or {}))
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in proposed.items()}
    answer = await stack.recipient(key, "change-request", message=message, **form)
    assert answer.is_success, answer.text
    await stack.until(key, "change_requested")
    return key


async def accepted(stack: Stack, key: str, by: str = "robin", **body: Any) -> None:
    """Its change request, by somebody over HTTP; the next version waits for a person."""
    headers = await stack.token(by, Scope.APPROVE)
    case = (await stack.invoice(key))["cases"][0]["id"]
    wish = {"action": "accept", "note": "agreed", **body}
    answer = await stack.api.post(f"/invoices/{key}/change-requests/{case}/decision", json=wish, headers=headers)
    assert answer.is_success, answer.text
    await stack.until(key, "awaiting_approval")


async def approved(stack: Stack, key: str, by: str = "robin") -> None:
    """The open approval, by somebody over HTTP."""
    headers = await stack.token(by, Scope.APPROVE)
    body = {"action": "approve", "revision": (await stack.invoice(key))["revision"], "note": "as agreed"}
    answer = await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)
    assert answer.is_success, answer.text
    await stack.until(key, "sent")


async def parked(stack: Stack, **changes: Any) -> str:
    """Its mail was refused for good; by now the mailbox is back."""
    stack.mailbox.refusing = True
    try:
        key = await _triggered(stack, changes)
        await stack.until(key, "needs_attention")
    finally:
        stack.mailbox.refusing = False
    return key


async def quarantined(stack: Stack, key: str, reason: str = "no invoice of ours has this id") -> str:
    """A view of a sent invoice that lies in quarantine; the event's id."""
    invoice = await stack.invoice(key)
    body = {
        "id": f"evt_{uuid.uuid4().hex[:12]}",
        "type": "invoice.viewed",
        "created_at": invoice["created_at"],
        "data": {"invoice_id": invoice["external_id"], "reference": key, "version": 1},
    }
    event = InvoiceEvent.model_validate(body)
    async with stack.database.transaction() as session:
        await events.accept(session, events.OURS, event, json.dumps(body).encode())
        await events.mark(session, [events.Mark(event.id, Fate.QUARANTINED, reason, attempts=8)])
    return event.id


async def fate(stack: Stack, event_id: str, wanted: Fate) -> None:
    """Once the event's fate is `wanted`."""

    async def look() -> bool:
        async with stack.database.session() as session:
            found = await events.get_event(session, event_id)
        return found is not None and found.fate == wanted.value

    await assert_eventually(look)
