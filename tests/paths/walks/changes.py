"""Walks on which the recipient asks for a change."""

from datetime import UTC, datetime

from tests.paths.walks.walk import Engine, asked_to_change, lines, percent, walk
from tests.paths.world import SECOND, World


@walk()
async def change_accepted(world: World) -> str:
    """V2 is assessed again, approved by a person, sent, approved."""
    key = await world.bill(amount="24000.00")
    case = await asked_to_change(world, key, "add the workshop")
    await world.answers(key, case, "accept", note="agreed", patch=lines("26000.00"))
    await world.decides(key, "approve")
    await world.sent(key, version=2)
    await world.approved(key, version=2)
    return key


@walk()
async def change_declined(world: World) -> str:
    key = await world.bill()
    case = await asked_to_change(world, key, "cheaper")
    await world.answers(key, case, "decline", note="as ordered")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@walk()
async def change_withdrawn(world: World) -> str:
    """The recipient approves before anybody answered: the case is withdrawn."""
    key = await world.bill()
    await asked_to_change(world, key)
    await world.approved(key)
    return key


@walk()
async def next_version_rejected(world: World) -> str:
    """Our own approver refuses V2: the wish is declined and V1 stands."""
    key = await world.bill(amount="20000.00")
    case = await asked_to_change(world, key, "more")
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.decides(key, "reject", note="too much")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@walk()
async def next_version_overtaken(world: World) -> str:
    """The recipient approves V1 while V2 waits for our approver: V1 stands."""
    key = await world.bill(amount="20000.00")
    case = await asked_to_change(world, key, "more")
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.until(key, "awaiting_approval")
    await world.approved(key)
    return key


@walk()
async def next_version_too_late(world: World) -> str:
    """The recipient has approved V1 when V2 is made of his request, and we hear of it last: V1 stands, unretried."""
    key = await world.bill()
    case = await asked_to_change(world, key, "a little less")
    await world.stack.faults(seed=1, webhook_drop_rate=1.0)
    await world.stack.recipient(key, "approve", version="1")
    await world.answers(key, case, "accept", note="ok", patch=percent("3"))
    await world.decides(key, "approve")
    await world.until(key, "needs_attention")
    await world.hears_late(key, "invoice.approved")
    return key


@walk(on=Engine.SKIPS_TIME)
async def next_version_expired(world: World) -> str:
    key = await world.bill(amount="20000.00")
    case = await asked_to_change(world, key, "more")
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.until(key, "awaiting_approval")
    await world.later(days=40)
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@walk()
async def change_taken(world: World) -> str:
    """Somebody else becomes the owner, and accepts it as it was proposed in words, by an edit of his own."""
    key = await world.bill()
    case = await asked_to_change(world, key, "a little less")
    await world.insists(key, f"change-requests/{case}/decision", who=SECOND, action="take", note="mine")
    await world.insists(key, f"change-requests/{case}/decision", who=SECOND, action="accept", patch=percent("3"))
    await world.decides(key, "approve")
    await world.sent(key, version=2)
    await world.approved(key, version=2)
    return key


@walk()
async def approved_too_late(world: World) -> str:
    """An approval of V1 that comes after V2 counts for nothing, and the timeline says so."""
    key = await world.bill()
    case = await asked_to_change(world, key)
    await world.answers(key, case, "accept", note="ok", patch=percent("5"))
    await world.decides(key, "approve")
    view = await world.sent(key, version=2)
    event = {
        "id": f"evt_late_{world.run}",
        "type": "invoice.approved",
        "created_at": datetime.now(UTC).isoformat(),
        "data": {"invoice_id": view["external_id"], "version": 1},
    }
    await world.signals(key, "approved", event)
    await world.seen(key, lambda view: "ignored: it approves V1; V2 is current" in str(view["timeline"]))
    await world.approved(key, version=2)
    return key


@walk(on=Engine.SKIPS_TIME)
async def case_breached(world: World) -> str:
    """Nobody answers the change request by its deadline."""
    key = await world.bill()
    case = await asked_to_change(world, key)
    await world.later(days=20)
    await world.seen(key, lambda view: "passed its deadline" in str(view["timeline"]))
    await world.answers(key, case, "decline", note="as ordered")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key
