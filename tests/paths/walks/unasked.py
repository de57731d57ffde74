"""Walks on which nobody of ours is asked."""

from tests.paths.walks.walk import Engine, percent, walk
from tests.paths.world import World


@walk()
async def automatic(world: World) -> str:
    """Out at once; viewed, amended, approved; deal and journal."""
    key = await world.bill(deal_id=f"deal-{world.run}")
    await world.sent(key)
    await world.viewed(key)
    await world.amended(key, po_number="PO-88", billing_entity="Acme Holding")
    await world.approved(key)
    return key


@walk()
async def discounted(world: World) -> str:
    """A discount and a due date of its own go by patch."""
    key = await world.bill(**percent("10"), due_date="2031-01-31")
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def carried_forward(world: World) -> str:
    """What the recipient gave on an earlier invoice goes onto the next one's draft."""
    first = await world.bill("-first")
    await world.sent(first)
    await world.amended(first, billing_entity="Acme Holding", tax_id="DE123")
    await world.approved(first)
    key = await world.bill()
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def amendment_missed(world: World) -> str:
    """The event of an amendment never comes; the approved version is read back and brings it in."""
    key = await world.bill()
    await world.sent(key)
    await world.stack.faults(seed=1, webhook_drop_rate=1.0)
    await world.stack.recipient(key, "amend", po_number="PO-99")
    await world.stack.faults()
    await world.approved(key)
    await world.seen(key, lambda view: "po_number read back" in str(view["timeline"]))
    return key


@walk()
async def amended_late(world: World) -> str:
    """The amendment's event comes when the invoice is billed: the CRM still hears of it, from a workflow of its own."""
    key = await world.bill()
    await world.sent(key)
    await world.stack.faults(seed=1, webhook_drop_rate=1.0)
    await world.stack.recipient(key, "amend", po_number="PO-66", tax_id="DE66")
    await world.stack.recipient(key, "approve", version="1")
    await world.hears_late(key, "invoice.approved")
    await world.ended(key, "billed")
    await world.hears_late(key, "invoice.amended")
    await world.seen(key, lambda view: any(entry["kind"] == "late" for entry in view["timeline"]))
    return key


@walk()
async def reconciled(world: World) -> str:
    """No webhook comes at all; the API's list, compared with our records, tells what they would have told."""
    key = await world.bill()
    await world.sent(key)
    await world.stack.faults(seed=1, webhook_drop_rate=1.0)
    await world.stack.recipient(key)
    await world.stack.recipient(key, "amend", po_number="PO-77")
    await world.reconciles()
    await world.seen(key, lambda view: view["recipient"]["po_number"] == "PO-77")
    await world.stack.recipient(key, "approve", version="1")
    await world.reconciles()
    return key


@walk()
async def billed_by_a_run(world: World) -> str:
    """A billing group's schedule fires, its month is run, and what that comes to goes all the way."""
    key = await world.fires_run()
    await world.sent(key)
    await world.approved(key)
    return key


@walk(on=Engine.SKIPS_TIME)
async def followed_up(world: World) -> str:
    """Nobody looks for days: one mail asks whether the link came."""
    key = await world.bill()
    await world.sent(key)
    await world.later(days=8)
    await world.seen(key, lambda view: "follow up of V1 mailed" in str(view["timeline"]))
    await world.viewed(key)
    await world.approved(key)
    return key
