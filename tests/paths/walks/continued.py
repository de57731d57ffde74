"""Walks whose history gets so long that another run goes on."""

from tests.paths.walks.walk import FAR_OVER, OVER, Engine, walk
from tests.paths.world import APPROVER, SECOND, World


@walk(on=Engine.SHORT_HISTORY)
async def continued_as_new(world: World) -> str:
    """A history that got long is left behind; the next run knows what is done and goes on, its trail too."""
    key = await world.bill(amount=OVER)
    await world.decides(key, "approve", note="before")
    await world.sent(key)
    await world.viewed(key)
    await world.amended(key, po_number="PO-1")
    await world.continued(key)
    await world.amended(key, po_number="PO-2")
    case = await world.asks_for_change(key, "cheaper")
    await world.answers(key, case, "decline", note="after")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@walk(on=Engine.SHORT_HISTORY)
async def continued_awaiting_approval(world: World) -> str:
    """A history that got long while a person is waited for; the next run waits for the same one until the same time."""
    key = await world.bill(amount=FAR_OVER)
    await world.decides(key, "approve", note="before")
    before = await world.seen(key, lambda view: view["approved_by"] == [APPROVER])
    await world.meddled_with(key, "approve")
    same = ("assignee", "decide_by", "approved_by", "revision", "status", "waiting_for")
    after = await world.until(key, "awaiting_approval")
    assert [after[name] for name in same] == [before[name] for name in same]
    await world.decides(key, "approve", who=SECOND, note="after")
    await world.sent(key)
    await world.approved(key)
    return key


@walk(on=Engine.SHORT_HISTORY)
async def continued_parked(world: World) -> str:
    """A history that got long while a step is parked; the next run waits too, and takes the step only when asked."""
    async with world.refusing_mails():
        key = await world.bill()
        before = await world.until(key, "needs_attention")
        await world.meddled_with(key, "retry")
        after = await world.until(key, "needs_attention")
        assert [after[name] for name in ("failed_step", "waiting_for")] == ["send_mail", before["waiting_for"]]
        assert str(after["timeline"]).count("'failed'") == 1
    await world.insists(key, "retry", reason="mailbox is back")
    await world.sent(key)
    await world.approved(key)
    return key
