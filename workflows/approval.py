"""A person must decide before this revision is issued: the wait, and what the answers do.

Over the second limit two different people must say yes to the same revision. An edit makes another revision, so it
begins the count anew, with the editor's own yes.
"""

from typing import Any

from temporalio import workflow

from activities import signatures as step
from billing.decisions import PUT_TO_ANOTHER, Action, Decide, Delegate, Propose
from billing.errors import BillhookError, Forbidden, NotPossible, StaleRevision
from billing.intent import Intent
from billing.record import Status
from workflows.approval_clock import ApprovalClock
from workflows.case_clock import CaseClock
from workflows.cases import resolve
from workflows.inbox import Asked, Inbox
from workflows.interruptions import Edited, Stopped
from workflows.overtaken import check_overtaken
from workflows.proposing import carry_out
from workflows.requests import Requests
from workflows.state import InvoiceState, OpenApproval
from workflows.steps import Steps
from workflows.wishes import check

_EXPIRED = "nobody decided in time"
_STANDS = "We cannot agree to this change. The invoice stands as it was issued."
# What the recipient reads: a reason that one of us gave for another of us is not his to read.


class Approval:
    """One wait for decisions on the present revision."""

    def __init__(self, intent: Intent, state: InvoiceState, inbox: Inbox, steps: Steps) -> None:
        self._intent = intent
        self._state = state
        self._inbox = inbox
        self._steps = steps
        self._say = steps.say
        self._records = steps.records
        self._requests = Requests(intent, state)
        self._clock = ApprovalClock(state, steps, self._requests, self._is_answered, self._show)
        self._cases = CaseClock(state, steps, self._requests, self._is_answered)
        self._outcome = ""

    async def wait(self) -> None:
        """Until the revision is cleared. Raises Stopped when rejected, expired or cancelled, Edited when it changed."""
        try:
            await self._until_cleared()
        except (Edited, Stopped):
            self._refuse_rest()
            raise
        self._refuse_rest()

    async def _until_cleared(self) -> None:
        self._put()
        self._show()
        self._clock.set()
        try:
            await self._clock.tell()
            while not self._state.is_cleared:
                self._inbox.check_stop()
                self._check_overtaken()
                await self._read_one()
                if not self._state.is_cleared:
                    await self._records.tell()
                    await self._steps.rest.until(self._has_news)
        finally:
            self._clock.stop()
            self._cases.stop()

    def _put(self) -> None:
        """To whom the policy says; a wait that was broken off goes on as it stood."""
        state = self._state
        if state.assessment and (state.approval is None or state.approval.revision != state.revision):
            state.approval = OpenApproval.of(state.revision, state.assessment)

    def _show(self) -> None:
        self._say.become(Status.AWAITING_APPROVAL, self._waiting_words())

    def _waiting_words(self) -> str:
        state, put = self._state, self._state.approval
        whom = put.assignee if put and put.assignee else "a person"
        given = " and ".join(state.approved_by)
        words = f"{given} approved; waits for {whom} to approve as well." if given else f"Waits for {whom} to approve."
        until = f" Until {put.expire_at:%Y-%m-%d %H:%M} UTC." if put and put.expire_at else ""
        reasons = state.assessment.reasons if state.assessment else ()
        return " ".join([words + until, *(reason.text for reason in reasons)])

    def _is_answered(self) -> bool:
        inbox = self._inbox
        events = inbox.events and self._state.issued_version
        return bool(inbox.approvals or inbox.cancels or events)

    def _has_news(self) -> bool:
        return self._is_answered() or self._clock.rang or self._cases.rang or self._records.has_news

    async def _read_one(self) -> None:
        """Answers first: what somebody decided in the same moment needs no reminder."""
        if self._inbox.approvals:
            await self._answer(self._inbox.approvals.pop(0))
        elif self._clock.rang:
            if await self._clock.ring():
                await self._expire()
        else:
            await self._cases.ring()

    async def _answer(self, asked: Asked[Any]) -> None:
        match asked.wish:
            case Decide():
                await self._decide(asked)
            case Delegate():
                await self._delegate(asked)
            case Propose():
                self._propose(asked)

    def _check_overtaken(self) -> None:
        """The recipient may approve the issued version while its successor still waits for us: then that one stands."""
        check_overtaken(self._state, self._inbox)
        self._cases.set()

    async def _decide(self, asked: Asked[Decide]) -> None:
        wish, state = asked.wish, self._state
        try:
            meant = state.commercial.patched(wish.patch)
            given = state.approved_by if meant == state.commercial else ()
            verdict = await self._records.authorize(wish.action, wish.approver, meant, given)
            if wish.revision != state.revision:
                raise StaleRevision(wish.revision, state.revision)
        except BillhookError as refusal:
            self._say.refuse(asked, refusal)
            return
        if wish.action is Action.REJECT:
            await self._reject(asked)
        else:
            await self._approve(asked, verdict.approvals_needed)

    async def _approve(self, asked: Asked[Decide], needed: int) -> None:
        state, wish = self._state, asked.wish
        edited = state.edit(wish.patch, workflow.now(), wish.approver)
        if not edited and state.assessment:
            # What the policy said when it began to wait holds, also where another worker reads a laxer one.
            needed = max(needed, state.assessment.approvals_needed)
        state.approved_by = (*state.approved_by, wish.approver)
        lacks = len(state.approved_by) < needed
        words = [f"the edit made revision {state.revision}"] if edited else []
        words += ["a second person must approve"] if lacks else []
        self._say.decided(asked, wish.revision, wish.note, then="; ".join(words))
        if not lacks:
            state.approved_revision, self._outcome = state.revision, f"approved by {wish.approver}"
        if edited or not lacks:
            self._say.become(Status.DRAFTING if edited else Status.ISSUING)
        asked.answer = self._say.answer("; ".join(words))
        if edited:
            raise Edited
        if lacks:
            await self._clock.second_wanted()

    async def _reject(self, asked: Asked[Decide]) -> None:
        wish = asked.wish
        self._say.decided(asked, wish.revision, wish.note)
        ends = not self._state.issued_version
        asked.answer = self._say.answer().model_copy(update={"status": Status.REJECTED.value} if ends else {})
        self._outcome = f"rejected by {wish.approver}"
        if not ends:
            await self._decline_next_version(wish.approver)
            raise Edited
        raise Stopped(wish.approver, wish.note, status=Status.REJECTED)

    async def _delegate(self, asked: Asked[Delegate]) -> None:
        wish, state = asked.wish, self._state
        request = self._requests.put_to(wish.to, workflow.now(), actor=wish.actor)
        placed = await self._records.ask(step.PUT_TO, request)
        if placed.refusal:
            self._say.refuse(asked, Forbidden(placed.refusal, next_step=PUT_TO_ANOTHER))
            return
        self._say.decided(asked, state.revision, wish.note, then=f"put to {placed.assignee}", to=placed.assignee)
        asked.answer = self._say.answer(f"put to {placed.assignee}")
        await self._clock.delegated(asked, placed)

    def _propose(self, asked: Asked[Propose]) -> None:
        """What was decided since it was admitted counts first."""
        try:
            check(asked.wish, self._state)
        except BillhookError as refusal:
            self._say.refuse(asked, refusal)
        else:
            carry_out(asked, self._state, self._say, workflow.now())

    async def _expire(self) -> None:
        self._outcome = "expired"
        if self._state.issued_version:
            await self._decline_next_version("policy")
            raise Edited
        raise Stopped("policy", _EXPIRED, status=Status.REJECTED)

    async def _decline_next_version(self, by: str) -> None:
        """Our own approver refused the next version: the recipient's wish is declined, the issued version stands."""
        case = self._state.cases[self._state.answering_case or ""]
        await self._steps.take(step.DECLINE_CHANGE, lambda: self._requests.decline(case.id, _STANDS))
        resolve(self._state, case.id, "declined", workflow.now(), by, _STANDS)
        self._state.back_to_issued()

    def _refuse_rest(self) -> None:
        """Whoever was a moment later than the one that ended the wait."""
        waiting, self._inbox.approvals = self._inbox.approvals, []
        for asked in waiting:
            self._say.refuse(asked, self._too_late(asked))

    def _too_late(self, asked: Asked[Any]) -> BillhookError:
        state, wish = self._state, asked.wish
        if isinstance(wish, Decide | Propose) and wish.revision != state.revision:
            return StaleRevision(wish.revision, state.revision)
        return NotPossible(asked.action.value, f"{self._outcome} already" if self._outcome else state.status.value)
