"""Walks that end before the invoice is billed."""

from tests.paths.walks.walk import OVER, asked_to_change, lines, walk
from tests.paths.world import World


@walk("cancelled")
async def cancelled_drafting(world: World) -> str:
    """While the API is away: nothing, or what an unheard try made, is taken back."""
    await world.stack.customer()
    await world.stack.faults(seed=1, error_rate=1.0)
    key = await world.bill()
    await world.until(key, "drafting")
    await world.cancels_while_away(key)
    return key


@walk("cancelled")
async def cancelled_awaiting_approval(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.insists(key, "cancel", reason="wrong project")
    return key


@walk("cancelled")
async def cancelled_sent(world: World) -> str:
    key = await world.bill()
    await world.sent(key)
    await world.insists(key, "cancel", reason="wrong project")
    return key


@walk("cancelled")
async def cancelled_viewed(world: World) -> str:
    key = await world.bill()
    await world.sent(key)
    await world.viewed(key)
    await world.insists(key, "cancel", reason="wrong project")
    return key


@walk("cancelled")
async def cancelled_change_requested(world: World) -> str:
    key = await world.bill()
    await asked_to_change(world, key)
    await world.insists(key, "cancel", reason="start over")
    return key


@walk("cancelled")
async def cancelled_next_version(world: World) -> str:
    """While V2 waits for our approver."""
    key = await world.bill()
    case = await asked_to_change(world, key)
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.until(key, "awaiting_approval")
    await world.insists(key, "cancel", reason="start over")
    return key


@walk()
async def cancel_refused(world: World) -> str:
    """The approval was first, though its event is not here yet: the cancel is refused and the invoice billed."""
    key = await world.bill()
    await world.sent(key)
    await world.stack.faults(seed=1, webhook_delay_ms=1500)
    await world.stack.recipient(key, "approve", version="1")
    await world.stack.faults()
    await world.cancel_is_refused(key)
    await world.until(key, "billed")
    return key


@walk("cancelled")
async def voided_at_the_api(world: World) -> str:
    key = await world.bill()
    await world.sent(key)
    await world.by_hand(key, "POST", "/void", reason="by hand")
    return key
