"""Walks on which a person of ours is asked before an invoice is issued."""

from records.tokens import Scope
from tests.paths.walks.walk import FAR_OVER, OVER, TEN_OFF, Engine, asked_to_change, percent, walk
from tests.paths.world import APPROVER, NEXT, SECOND, World


@walk()
async def approved_by_api(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.decides(key, "approve", note="as agreed")
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def approved_by_signal(world: World) -> str:
    """From the Temporal UI; an earlier signal of somebody who is no approver is refused and noted."""
    await world.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    handle = world.stack.client.get_workflow_handle(key)
    await handle.signal("approve", {"approver": "mallory"})
    await world.seen(key, lambda view: any(entry["kind"] == "refused" for entry in view["timeline"]))
    await handle.signal("approve", {"approver": APPROVER})
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def approved_with_edit(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.decides(key, "approve", note="less ten", patch=percent("10"))
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def approved_by_two(world: World) -> str:
    """Over the second limit: the first yes alone issues nothing."""
    key = await world.bill(amount=FAR_OVER)
    await world.decides(key, "approve", note="looked at")
    await world.seen(key, lambda view: view["approved_by"] == [APPROVER])
    await world.decides(key, "approve", who=SECOND, note="me too")
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def approved_by_two_after_an_edit(world: World) -> str:
    """The second person edits: his yes is the first one of the new revision."""
    key = await world.bill(amount=FAR_OVER)
    await world.decides(key, "approve")
    seen = await world.seen(key, lambda view: view["approved_by"] == [APPROVER])
    await world.decides(key, "approve", who=SECOND, patch=percent("5"))
    await world.seen(
        key, lambda view: view["approved_by"] == [SECOND] and view["revision"] != seen["revision"] and view["decide_by"]
    )
    await world.decides(key, "approve")
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def delegated(world: World) -> str:
    """Another approver is to decide, and does."""
    await world.stack.token(SECOND, Scope.APPROVE, Scope.READ)
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.insists(key, "delegate", to=SECOND, note="on holiday")
    await world.decides(key, "approve", who=SECOND)
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def put_to_the_next(world: World) -> str:
    """Whom the rules name has left: it is put to whom it would be escalated to."""
    await world.leaves(APPROVER)
    key = await world.bill(amount=OVER)
    await world.seen(key, lambda view: view["assignee"] == NEXT and "put to robin instead" in str(view["timeline"]))
    await world.decides(key, "approve", who=NEXT)
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def first_enterprise_invoice(world: World) -> str:
    key = await world.bill(customer="globex", customer_fields={"segment": "enterprise"})
    await world.decides(key, "approve")
    await world.sent(key)
    await world.approved(key)
    return key


@walk("rejected")
async def rejected(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.decides(key, "reject", note="not yet due")
    return key


@walk("rejected")
async def rejected_by_signal(world: World) -> str:
    await world.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.stack.client.get_workflow_handle(key).signal("reject", {"approver": APPROVER, "reason": "not yet due"})
    return key


@walk("cancelled")
async def ruled_from_the_temporal_ui(world: World) -> str:
    """Every signal of a person, after some that nobody can read or that may not decide."""
    for name in (APPROVER, SECOND):
        await world.stack.token(name, Scope.APPROVE, Scope.READ)
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.signals(key, "approve", "dana")
    await world.signals(key, "approve")
    await world.signals(key, "abandon", {"actor": APPROVER, "reason": "not parked"})
    await world.seen(key, lambda view: str(view["timeline"]).count(" refused: ") == 3)
    await world.signals(key, "delegate", {"actor": APPROVER, "to": SECOND})
    await world.seen(key, lambda view: view["assignee"] == SECOND)
    await world.signals(key, "approve", {"approver": SECOND})
    case = await asked_to_change(world, key)
    await world.signals(key, "take_change_request", {"actor": SECOND, "case_id": case})
    await world.seen(key, lambda view: view["cases"][0]["owner"] == SECOND)
    await world.signals(key, "accept_change_request", {"actor": SECOND, "case_id": case, "patch": TEN_OFF})
    await world.until(key, "awaiting_approval")
    await world.signals(key, "approve", {"approver": APPROVER})
    await world.sent(key, version=2)
    case = await world.asks_for_change(key, "and more")
    await world.signals(key, "decline_change_request", {"actor": APPROVER, "case_id": case, "note": "as agreed"})
    await world.until(key, "sent", "viewed")
    await world.signals(key, "cancel", {"actor": APPROVER, "reason": "start over"})
    return key


@walk("rejected", on=Engine.SKIPS_TIME)
async def expired(world: World) -> str:
    """Reminded, escalated, nobody decides: the draft is discarded."""
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.later(days=40)
    return key


@walk(on=Engine.SKIPS_TIME)
async def approved_after_reminder(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.later(days=4)
    await world.seen(key, lambda view: "reminder of V1 mailed" in str(view["timeline"]))
    await world.decides(key, "approve")
    await world.sent(key)
    await world.approved(key)
    return key


@walk(on=Engine.SKIPS_TIME)
async def approved_after_escalation(world: World) -> str:
    """Nobody answers, so another is asked, and he is asked anew from then on."""
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.later(days=6)
    await world.seen(key, lambda view: view["assignee"] == NEXT and str(view["timeline"]).count("reminder: ") == 2)
    await world.decides(key, "approve", who=NEXT)
    await world.sent(key)
    await world.approved(key)
    return key


@walk(on=Engine.SKIPS_TIME)
async def reminder_refused(world: World) -> str:
    """A courtesy that cannot be done parks nothing."""
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    async with world.refusing_mails():
        await world.later(days=4)
        await world.seen(key, lambda view: "could not send the mail" in str(view["timeline"]))
    await world.decides(key, "approve")
    await world.sent(key)
    await world.approved(key)
    return key
