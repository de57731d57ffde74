"""Every path of an invoice's life, as one walk each on the real stack, from the trigger to a closed workflow.

Two things walk them: `tests/histories/record.py` keeps the history that each leaves, and the crash drill kills the
worker on the way. `WALKS` names them; a path that is added to the product is added here, and a test says so.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from records.tokens import Scope
from tests.paths.world import APPROVER, NEXT, SECOND, World

OVER: Final = "30000.00"
# Over the threshold, so that a person is asked.
FAR_OVER: Final = "120000.00"
# Over the second limit, so that two are.


class Engine(StrEnum):
    """What a walk needs of Temporal."""

    DEV_SERVER = "dev server"
    SKIPS_TIME = "skips time"
    SHORT_HISTORY = "asks to continue as new soon"


@dataclass(frozen=True)
class Walk:
    """`ends` is the status at the end."""

    name: str
    ends: str
    engine: Engine
    go: Callable[[World], Awaitable[str]]

    async def on(self, world: World) -> str:
        """Walks to the end; the key of the invoice that the path is about."""
        key = await self.go(world)
        await world.ended(key, self.ends)
        return key


WALKS: Final[dict[str, Walk]] = {}


def _walk(
    ends: str = "billed", *, on: Engine = Engine.DEV_SERVER
) -> Callable[[Callable[[World], Awaitable[str]]], Callable[[World], Awaitable[str]]]:
    def named(go: Callable[[World], Awaitable[str]]) -> Callable[[World], Awaitable[str]]:
        WALKS[go.__name__] = Walk(go.__name__, ends, on, go)
        return go

    return named


def lines(amount: str) -> dict[str, Any]:
    return {"line_items": [{"description": "Design and workshop", "quantity": "1", "unit_price": amount}]}


def percent(value: str) -> dict[str, Any]:
    return {"discount": {"type": "percent", "value": value}}


_TEN_OFF: Final = {"discount": {"type": "percent", "value": "10"}}


async def _changed(world: World, key: str, message: str = "please change it") -> str:
    await world.sent(key)
    return await world.asks_for_change(key, message)


@_walk()
async def automatic(world: World) -> str:
    """Out at once; viewed, amended, approved; deal and journal."""
    key = await world.bill(deal_id=f"deal-{world.run}")
    await world.sent(key)
    await world.viewed(key)
    await world.amended(key, po_number="PO-88", billing_entity="Acme Holding")
    await world.approved(key)
    return key


@_walk()
async def discounted(world: World) -> str:
    """A discount and a due date of its own go by patch."""
    key = await world.bill(**percent("10"), due_date="2031-01-31")
    await world.sent(key)
    await world.approved(key)
    return key


@_walk()
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


@_walk()
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


@_walk()
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


@_walk()
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


@_walk()
async def billed_by_a_run(world: World) -> str:
    """A billing group's schedule fires, its month is run, and what that comes to goes all the way."""
    key = await world.fires_run()
    await world.sent(key)
    await world.approved(key)
    return key


@_walk()
async def approved_by_api(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.decides(key, "approve", note="as agreed")
    await world.sent(key)
    await world.approved(key)
    return key


@_walk()
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


@_walk()
async def approved_with_edit(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.decides(key, "approve", note="less ten", patch=percent("10"))
    await world.sent(key)
    await world.approved(key)
    return key


@_walk()
async def approved_by_two(world: World) -> str:
    """Over the second limit: the first yes alone issues nothing."""
    key = await world.bill(amount=FAR_OVER)
    await world.decides(key, "approve", note="looked at")
    await world.seen(key, lambda view: view["approved_by"] == [APPROVER])
    await world.decides(key, "approve", who=SECOND, note="me too")
    await world.sent(key)
    await world.approved(key)
    return key


@_walk()
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


@_walk()
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


@_walk()
async def put_to_the_next(world: World) -> str:
    """Whom the rules name has left: it is put to whom it would be escalated to."""
    await world.leaves(APPROVER)
    key = await world.bill(amount=OVER)
    await world.seen(key, lambda view: view["assignee"] == NEXT and "put to robin instead" in str(view["timeline"]))
    await world.decides(key, "approve", who=NEXT)
    await world.sent(key)
    await world.approved(key)
    return key


@_walk()
async def first_enterprise_invoice(world: World) -> str:
    key = await world.bill(customer="globex", customer_fields={"segment": "enterprise"})
    await world.decides(key, "approve")
    await world.sent(key)
    await world.approved(key)
    return key


@_walk("rejected")
async def rejected(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.decides(key, "reject", note="not yet due")
    return key


@_walk("rejected")
async def rejected_by_signal(world: World) -> str:
    await world.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.stack.client.get_workflow_handle(key).signal("reject", {"approver": APPROVER, "reason": "not yet due"})
    return key


@_walk("cancelled")
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
    case = await _changed(world, key)
    await world.signals(key, "take_change_request", {"actor": SECOND, "case_id": case})
    await world.seen(key, lambda view: view["cases"][0]["owner"] == SECOND)
    await world.signals(key, "accept_change_request", {"actor": SECOND, "case_id": case, "patch": _TEN_OFF})
    await world.until(key, "awaiting_approval")
    await world.signals(key, "approve", {"approver": APPROVER})
    await world.sent(key, version=2)
    case = await world.asks_for_change(key, "and more")
    await world.signals(key, "decline_change_request", {"actor": APPROVER, "case_id": case, "note": "as agreed"})
    await world.until(key, "sent", "viewed")
    await world.signals(key, "cancel", {"actor": APPROVER, "reason": "start over"})
    return key


@_walk("rejected", on=Engine.SKIPS_TIME)
async def expired(world: World) -> str:
    """Reminded, escalated, nobody decides: the draft is discarded."""
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.later(days=40)
    return key


@_walk(on=Engine.SKIPS_TIME)
async def approved_after_reminder(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.later(days=4)
    await world.seen(key, lambda view: "reminder of V1 mailed" in str(view["timeline"]))
    await world.decides(key, "approve")
    await world.sent(key)
    await world.approved(key)
    return key


@_walk(on=Engine.SKIPS_TIME)
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


@_walk(on=Engine.SKIPS_TIME)
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


@_walk(on=Engine.SKIPS_TIME)
async def followed_up(world: World) -> str:
    """Nobody looks for days: one mail asks whether the link came."""
    key = await world.bill()
    await world.sent(key)
    await world.later(days=8)
    await world.seen(key, lambda view: "follow up of V1 mailed" in str(view["timeline"]))
    await world.viewed(key)
    await world.approved(key)
    return key


@_walk()
async def change_accepted(world: World) -> str:
    """V2 is assessed again, approved by a person, sent, approved."""
    key = await world.bill(amount="24000.00")
    case = await _changed(world, key, "add the workshop")
    await world.answers(key, case, "accept", note="agreed", patch=lines("26000.00"))
    await world.decides(key, "approve")
    await world.sent(key, version=2)
    await world.approved(key, version=2)
    return key


@_walk()
async def change_declined(world: World) -> str:
    key = await world.bill()
    case = await _changed(world, key, "cheaper")
    await world.answers(key, case, "decline", note="as ordered")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@_walk()
async def change_withdrawn(world: World) -> str:
    """The recipient approves before anybody answered: the case is withdrawn."""
    key = await world.bill()
    await _changed(world, key)
    await world.approved(key)
    return key


@_walk()
async def next_version_rejected(world: World) -> str:
    """Our own approver refuses V2: the wish is declined and V1 stands."""
    key = await world.bill(amount="20000.00")
    case = await _changed(world, key, "more")
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.decides(key, "reject", note="too much")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@_walk()
async def next_version_overtaken(world: World) -> str:
    """The recipient approves V1 while V2 waits for our approver: V1 stands."""
    key = await world.bill(amount="20000.00")
    case = await _changed(world, key, "more")
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.until(key, "awaiting_approval")
    await world.approved(key)
    return key


@_walk()
async def next_version_too_late(world: World) -> str:
    """The recipient has approved V1 when V2 is made of his request, and we hear of it last: V1 stands, unretried."""
    key = await world.bill()
    case = await _changed(world, key, "a little less")
    await world.stack.faults(seed=1, webhook_drop_rate=1.0)
    await world.stack.recipient(key, "approve", version="1")
    await world.answers(key, case, "accept", note="ok", patch=percent("3"))
    await world.decides(key, "approve")
    await world.until(key, "needs_attention")
    await world.hears_late(key, "invoice.approved")
    return key


@_walk()
async def approved_while_parked(world: World) -> str:
    """The link's mail is refused, and the recipient finds his way without it: nothing is left to retry."""
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
        await world.approved(key)
        await world.ended(key, "billed")
    return key


@_walk("cancelled")
async def voided_while_parked(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
        await world.by_hand(key, "POST", "/void", reason="not what was agreed")
        await world.ended(key, "cancelled")
    return key


@_walk(on=Engine.SKIPS_TIME)
async def next_version_expired(world: World) -> str:
    key = await world.bill(amount="20000.00")
    case = await _changed(world, key, "more")
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.until(key, "awaiting_approval")
    await world.later(days=40)
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@_walk()
async def change_taken(world: World) -> str:
    """Somebody else becomes the owner, and accepts it as it was proposed in words, by an edit of his own."""
    key = await world.bill()
    case = await _changed(world, key, "a little less")
    await world.insists(key, f"change-requests/{case}/decision", who=SECOND, action="take", note="mine")
    await world.insists(key, f"change-requests/{case}/decision", who=SECOND, action="accept", patch=percent("3"))
    await world.decides(key, "approve")
    await world.sent(key, version=2)
    await world.approved(key, version=2)
    return key


@_walk()
async def approved_too_late(world: World) -> str:
    """An approval of V1 that comes after V2 counts for nothing, and the timeline says so."""
    key = await world.bill()
    case = await _changed(world, key)
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


@_walk()
async def parked_and_retried_by_signal(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
    await world.signals(key, "retry", {"actor": APPROVER, "reason": "mailbox is back"})
    await world.sent(key)
    await world.approved(key)
    return key


@_walk("cancelled")
async def parked_and_abandoned_by_signal(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
    await world.signals(key, "abandon", {"actor": APPROVER, "reason": "not worth it"})
    return key


@_walk(on=Engine.SKIPS_TIME)
async def case_breached(world: World) -> str:
    """Nobody answers the change request by its deadline."""
    key = await world.bill()
    case = await _changed(world, key)
    await world.later(days=20)
    await world.seen(key, lambda view: "passed its deadline" in str(view["timeline"]))
    await world.answers(key, case, "decline", note="as ordered")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key


@_walk("cancelled")
async def cancelled_drafting(world: World) -> str:
    """While the API is away: nothing, or what an unheard try made, is taken back."""
    await world.stack.customer()
    await world.stack.faults(seed=1, error_rate=1.0)
    key = await world.bill()
    await world.until(key, "drafting")
    await world.cancels_while_away(key)
    return key


@_walk("cancelled")
async def cancelled_awaiting_approval(world: World) -> str:
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.insists(key, "cancel", reason="wrong project")
    return key


@_walk("cancelled")
async def cancelled_sent(world: World) -> str:
    key = await world.bill()
    await world.sent(key)
    await world.insists(key, "cancel", reason="wrong project")
    return key


@_walk("cancelled")
async def cancelled_viewed(world: World) -> str:
    key = await world.bill()
    await world.sent(key)
    await world.viewed(key)
    await world.insists(key, "cancel", reason="wrong project")
    return key


@_walk("cancelled")
async def cancelled_change_requested(world: World) -> str:
    key = await world.bill()
    await _changed(world, key)
    await world.insists(key, "cancel", reason="start over")
    return key


@_walk("cancelled")
async def cancelled_next_version(world: World) -> str:
    """While V2 waits for our approver."""
    key = await world.bill()
    case = await _changed(world, key)
    await world.answers(key, case, "accept", note="ok", patch=lines("40000.00"))
    await world.until(key, "awaiting_approval")
    await world.insists(key, "cancel", reason="start over")
    return key


@_walk("cancelled")
async def cancelled_parked(world: World) -> str:
    """The API holds another total than ours, so the link does not leave; then it is given up."""
    key = await world.bill(amount=OVER)
    await world.until(key, "awaiting_approval")
    await world.by_hand(key, "PATCH", line_items=[{"description": "meddled", "quantity": 1, "unit_price_cents": 100}])
    await world.decides(key, "approve")
    await world.until(key, "needs_attention")
    await world.insists(key, "cancel", reason="not what we agreed")
    return key


@_walk()
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


@_walk()
async def parked_and_retried(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.insists(key, "retry", reason="mailbox is back")
    await world.sent(key)
    await world.approved(key)
    return key


@_walk()
async def parked_and_retried_with_edit(world: World) -> str:
    """The API refuses the draft for want of a recipient; the record is mended, the content edited with it."""
    key = await world.bill_nobody()
    await world.until(key, "needs_attention")
    await world.stack.customer()
    await world.insists(key, "retry", reason="mended", patch=lines("900.00"))
    await world.sent(key)
    await world.approved(key)
    return key


@_walk("cancelled")
async def parked_and_abandoned(world: World) -> str:
    async with world.refusing_mails():
        key = await world.bill()
        await world.until(key, "needs_attention")
    await world.insists(key, "retry", reason="not worth it", abandon=True)
    return key


@_walk("cancelled")
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


@_walk("cancelled")
async def voided_at_the_api(world: World) -> str:
    key = await world.bill()
    await world.sent(key)
    await world.by_hand(key, "POST", "/void", reason="by hand")
    return key


@_walk(on=Engine.SHORT_HISTORY)
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


@_walk(on=Engine.SHORT_HISTORY)
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


@_walk(on=Engine.SHORT_HISTORY)
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
