"""Walks on which a step is refused for good."""

from datetime import UTC, datetime

from records.tokens import Scope
from tests.paths.walks.walk import OVER, lines, walk
from tests.paths.world import APPROVER, World


@walk()
async def approved_while_parked(world: World) -> str:
    """The link's mail is refused, and the recipient finds his way without it: nothing is left to retry."""
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
        await world.approved(key)
        await world.ended(key, "billed")
    return key


@walk("cancelled")
async def voided_while_parked(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
        await world.by_hand(key, "POST", "/void", reason="not what was agreed")
        await world.ended(key, "cancelled")
    return key


@walk()
async def parked_and_retried_by_signal(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
    await world.signals(key, "retry", {"actor": APPROVER, "reason": "mailbox is back"})
    await world.sent(key)
    await world.approved(key)
    return key


@walk("cancelled")
async def parked_and_abandoned_by_signal(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
    await world.signals(key, "abandon", {"actor": APPROVER, "reason": "not worth it"})
    return key


@walk("cancelled")
async def cancelled_parked(world: World) -> str:
    """The API holds another total than ours, so the link does not leave; then it is given up."""
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.by_hand(key, "PATCH", line_items=[{"description": "meddled", "quantity": 1, "unit_price_cents": 100}])
    await world.decides(key, "approve")
    await world.until(key, "needs_attention")
    await world.insists(key, "cancel", reason="not what we agreed")
    return key


@walk()
async def parked_and_retried(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.insists(key, "retry", reason="mailbox is back")
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def parked_and_retried_with_edit(world: World) -> str:
    """The API refuses the draft for want of a recipient; the record is mended, the content edited with it."""
    key = await world.bill_nobody()
    await world.until(key, "needs_attention")
    await world.stack.customer()
    await world.insists(key, "retry", reason="mended", patch=lines("900.00"))
    await world.sent(key)
    await world.approved(key)
    return key


@walk("cancelled")
async def parked_and_abandoned(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.insists(key, "retry", reason="not worth it", abandon=True)
    return key


@walk("cancelled")
async def abandoned_after_approval(world: World) -> str:
    """An approval that the API knows nothing of, sent from the Temporal UI: not read back, given up, not billed."""
    key = await world.bill()
    view = await world.sent(key)
    event = {
        "id": f"evt_by_hand_{world.run}",
        "type": "invoice.approved",
        "created_at": datetime.now(UTC).isoformat(),
        "data": {"invoice_id": view["external_id"], "version": 1},
    }
    await world.stack.client.get_workflow_handle(key).signal("approved", event)
    await world.until(key, "needs_attention")
    await world.insists(key, "retry", reason="nobody approved", abandon=True)
    return key
