"""Invoices of every path on a real stack, played to their ends, and the sources of an audit of them."""

import asyncio
from typing import Any, Final

from audit.sources import Sources
from records.tokens import Scope
from tests.stack import Stack, assert_eventually

APPROVER: Final = (Scope.APPROVE, Scope.READ)


async def sources(stack: Stack, **changes: Any) -> Sources:
    """All five of them."""
    given: dict[str, Any] = {
        "database": stack.database,
        "truth": await stack.truth(),
        "ledger": stack.settings.ledger,
        "mails": stack.mailbox.mails,
        "client": stack.client,
    }
    return Sources(**(given | changes))


async def decide(stack: Stack, key: str, action: str, **body: Any) -> None:
    """A person's answer to the present revision."""
    approver = await stack.token("dana", *APPROVER)
    revision = (await stack.until(key, "awaiting_approval"))["revision"]
    told = {"action": action, "revision": revision, "note": "as agreed", **body}
    answer = await stack.api.post(f"/invoices/{key}/decision", json=told, headers=approver)
    assert answer.is_success, answer.text


async def answer_case(stack: Stack, key: str, action: str, **body: Any) -> None:
    approver = await stack.token("dana", *APPROVER)
    case = next(one for one in (await stack.until(key, "change_requested"))["cases"] if one["status"] == "open")
    path = f"/invoices/{key}/change-requests/{case['id']}/decision"
    answer = await stack.api.post(path, json={"action": action, "note": "agreed", **body}, headers=approver)
    assert answer.is_success, answer.text


async def approved(stack: Stack, key: str, version: int = 1) -> str:
    """The recipient looks, fills in a PO number and approves."""
    await stack.until(key, "sent", "viewed")
    await stack.recipient(key)
    await stack.recipient(key, "amend", po_number=f"PO {key}")
    answer = await stack.recipient(key, "approve", version=str(version))
    assert answer.is_success, answer.text
    await stack.until(key, "billed")
    return key


async def automatic(stack: Stack) -> str:
    return await approved(stack, await stack.milestone(deal_id="deal_1"))


async def edited(stack: Stack) -> str:
    """Over the threshold: a person approves it with an edit."""
    key = await stack.milestone(amount="30000.00")
    await decide(stack, key, "approve", patch={"discount": {"type": "percent", "value": "7.5"}})
    return await approved(stack, key)


async def second_version(stack: Stack) -> str:
    """A change request, accepted, asks for a person's look, and goes out as V2."""
    key = await stack.milestone(amount="24000.00", customer_id="globex")
    await stack.until(key, "sent")
    await stack.recipient(key, "change-request", message="add the workshop")
    lines = [{"description": "Design and workshop", "quantity": "1.5", "unit_price": "18000.33"}]
    await answer_case(stack, key, "accept", patch={"line_items": lines})
    await decide(stack, key, "approve")
    await stack.until(key, "sent")
    return await approved(stack, key, 2)


async def declined(stack: Stack) -> str:
    key = await stack.milestone(customer_id="initech")
    await stack.until(key, "sent")
    await stack.recipient(key, "change-request", message="cheaper")
    await answer_case(stack, key, "decline")
    return await approved(stack, key)


async def cancelled(stack: Stack) -> str:
    key = await stack.milestone()
    await stack.until(key, "sent")
    await stack.recipient(key)
    await stack.until(key, "viewed")
    answer = await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "wrong project"})
    assert answer.is_success, answer.text
    await stack.until(key, "cancelled")
    return key


async def rejected(stack: Stack) -> str:
    key = await stack.milestone(amount="40000.00")
    await decide(stack, key, "reject")
    await stack.until(key, "rejected")
    return key


async def parked(stack: Stack) -> str:
    """Its draft was changed at the API by hand: issuing it stops in needs_attention."""
    key = await stack.milestone(amount="50000.00")
    await stack.until(key, "awaiting_approval")
    draft = next(one for one in (await stack.truth())["invoices"] if one["reference"] == key)
    lines = [{"description": "meddled with", "quantity": 1, "unit_price_cents": 100}]
    await stack.jupiter.patch(
        f"/api/v1/invoices/{draft['id']}", json={"line_items": lines}, headers={"Idempotency-Key": f"by-hand-{key}"}
    )
    await decide(stack, key, "approve")
    await stack.until(key, "needs_attention")
    return key


async def other_currencies(stack: Stack) -> str:
    return await approved(stack, await stack.milestone(currency="JPY", amount="20000", customer_id="tokyo"))


async def waiting(stack: Stack) -> str:
    key = await stack.milestone(amount="60000.00")
    await stack.until(key, "awaiting_approval")
    return key


PATHS = (
    automatic, edited, second_version, declined, cancelled, rejected, parked, other_currencies, waiting,
)  # fmt: skip


async def play(stack: Stack) -> dict[str, str]:
    """Every path once; keys by path. Who asks for changes is a customer of its own: it is asked about ever after."""
    for customer in ("acme", "globex", "initech"):
        await stack.customer(customer)
    await stack.customer("tokyo", currency="JPY")
    await stack.token("dana", *APPROVER)
    keys = await asyncio.gather(*(path(stack) for path in PATHS))
    await settled(stack)
    return {path.__name__: key for path, key in zip(PATHS, keys, strict=True)}


async def settled(stack: Stack) -> None:
    """Every webhook has come, every event has its fate, and every ended invoice's workflow has closed."""

    async def at_rest() -> bool:
        owed = [one for event in (await stack.truth())["events"] for one in event["deliveries"]]
        if any(one["state"] == "pending" for one in owed):
            return False
        events = (await stack.api.get("/events", params={"limit": 200})).json()["data"]
        return all(one["fate"] not in {"pending", "delivered"} for one in events)

    await assert_eventually(at_rest)
    await asyncio.gather(*(_closed(stack, one) for one in (await stack.api.get("/invoices?limit=200")).json()["data"]))


async def _closed(stack: Stack, invoice: dict[str, Any]) -> None:
    if invoice["status"] in {"billed", "rejected", "cancelled"}:
        await stack.client.get_workflow_handle(invoice["key"]).result()
