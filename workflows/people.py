"""What people ask of an invoice's workflow: as signals for the Temporal UI, as updates for callers that want an answer.

Both go the same way: the wish is checked against the present state, whoever asks is checked against the policy, and
then it waits in the inbox for the main loop. A signal cannot be answered, so one that may not decide, or that nobody
can read, is kept in the trail, shown with its reason, and has no effect. Approvals and delegations are authorized by
the main loop, one after another: whether a second person has said yes depends on who was first.

An agent proposes, by an update of its own. That is kept and shown, and authorizes nothing.
"""

import functools
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from billing.decisions import (
    EXAMPLES,
    Action,
    Answer,
    Cancel,
    Decide,
    DecideChange,
    Delegate,
    Propose,
    Retry,
    Wish,
    action_of,
    actor_of,
)
from billing.errors import BillhookError
from workflows import proposing, wishes
from workflows.failures import as_failure
from workflows.inbox import BY_SIGNAL, BY_UPDATE, Asked, Inbox
from workflows.own_records import OwnRecords
from workflows.state import InvoiceState
from workflows.teller import Teller

_P = TypeVar("_P", bound="People")
_Signal = Callable[[_P, RawValue], Coroutine[Any, Any, None]]
_AUTHORIZED_LATER: Final = (Decide, Delegate)
_NOBODY: Final = "unknown"
_CATCHES_UP: Final = timedelta(seconds=1)
# Counted from the end of the task in which the signal came; our records are told within it.


def _whatever_comes(handle: _Signal[_P]) -> _Signal[_P]:
    """The SDK calls a handler with as many inputs as were sent, and a TypeError would stop the invoice."""

    @functools.wraps(handle)
    async def called(self: _P, *given: Any) -> None:
        is_one = len(given) == 1 and isinstance(given[0], RawValue)
        await handle(self, given[0] if is_one else RawValue(Payload()))

    return called


class People:
    """The handlers; the workflow that they are part of has the state and the inbox, tells and asks."""

    _state: InvoiceState
    _inbox: Inbox
    _say: Teller
    _records: OwnRecords

    @workflow.signal(description=f"Approve the invoice: {EXAMPLES[Action.APPROVE]}")
    @_whatever_comes
    async def approve(self, wish: RawValue) -> None:
        await self._hear(Action.APPROVE, wish)

    @workflow.signal(description=f"Reject the invoice: {EXAMPLES[Action.REJECT]}")
    @_whatever_comes
    async def reject(self, wish: RawValue) -> None:
        await self._hear(Action.REJECT, wish)

    @workflow.signal(name="delegate", description=f"Let somebody else decide: {EXAMPLES[Action.DELEGATE]}")
    @_whatever_comes
    async def hear_delegate(self, wish: RawValue) -> None:
        await self._hear(Action.DELEGATE, wish)

    @workflow.signal(description=f"Become the owner of a change request: {EXAMPLES[Action.TAKE_CHANGE]}")
    @_whatever_comes
    async def take_change_request(self, wish: RawValue) -> None:
        await self._hear(Action.TAKE_CHANGE, wish)

    @workflow.signal(description=f"Accept a change request, as proposed or edited: {EXAMPLES[Action.ACCEPT_CHANGE]}")
    @_whatever_comes
    async def accept_change_request(self, wish: RawValue) -> None:
        await self._hear(Action.ACCEPT_CHANGE, wish)

    @workflow.signal(description=f"Decline a change request: {EXAMPLES[Action.DECLINE_CHANGE]}")
    @_whatever_comes
    async def decline_change_request(self, wish: RawValue) -> None:
        await self._hear(Action.DECLINE_CHANGE, wish)

    @workflow.signal(name="cancel", description=f"Discard the draft, void the invoice: {EXAMPLES[Action.CANCEL]}")
    @_whatever_comes
    async def hear_cancel(self, wish: RawValue) -> None:
        await self._hear(Action.CANCEL, wish)

    @workflow.signal(name="retry", description=f"Take the failed step again: {EXAMPLES[Action.RETRY]}")
    @_whatever_comes
    async def hear_retry(self, wish: RawValue) -> None:
        await self._hear(Action.RETRY, wish)

    @workflow.signal(description=f"Give up an invoice that needs attention: {EXAMPLES[Action.ABANDON]}")
    @_whatever_comes
    async def abandon(self, wish: RawValue) -> None:
        await self._hear(Action.ABANDON, wish)

    @workflow.update(description="Approve or reject the revision that you saw")
    async def decide(self, wish: Decide) -> Answer:
        return await self._answer(wish)

    @decide.validator
    def _can_decide(self, wish: Decide) -> None:
        self._check(wish)

    @workflow.update(description="Let another approver decide")
    async def delegate(self, wish: Delegate) -> Answer:
        return await self._answer(wish)

    @delegate.validator
    def _can_delegate(self, wish: Delegate) -> None:
        self._check(wish)

    @workflow.update(description="Take a change request, accept it as proposed or edited, or decline it with words")
    async def decide_change_request(self, wish: DecideChange) -> Answer:
        return await self._answer(wish)

    @decide_change_request.validator
    def _can_decide_change(self, wish: DecideChange) -> None:
        self._check(wish)

    @workflow.update(description="Cancel: a draft is discarded, an issued invoice is voided")
    async def cancel(self, wish: Cancel) -> Answer:
        return await self._answer(wish)

    @cancel.validator
    def _can_cancel(self, wish: Cancel) -> None:
        self._check(wish)

    @workflow.update(description="Take the failed step again, with an edit if need be; or abandon the invoice")
    async def retry(self, wish: Retry) -> Answer:
        return await self._answer(wish)

    @retry.validator
    def _can_retry(self, wish: Retry) -> None:
        self._check(wish)

    @workflow.update(description="What an agent wishes; it decides nothing by itself")
    async def propose(self, wish: Propose) -> Answer:
        answered = self._state.proposals_answered
        while wish.call_id in answered:
            if known := answered[wish.call_id]:
                return known
            # The same call came by another update, which is being answered.
            await workflow.wait_condition(lambda: answered.get(wish.call_id, wish) is not None)
        return await self._propose(wish)

    @propose.validator
    def _can_propose(self, wish: Propose) -> None:
        if wish.call_id not in self._state.proposals_answered:
            self._check(wish)

    async def _propose(self, wish: Propose) -> Answer:
        """Its key is taken from here on; a refusal gives it back."""
        answered = self._state.proposals_answered
        answered[wish.call_id] = None
        try:
            answered[wish.call_id] = answer = await self._settled(wish)
        finally:
            if answered[wish.call_id] is None:
                del answered[wish.call_id]
        return answer

    async def _settled(self, wish: Propose) -> Answer:
        """Where the draft is walked again it is answered when the policy has been asked: what came of it matters."""
        moves = proposing.moves(wish, self._state)
        answer = await self._answer(wish)
        if moves:
            await workflow.wait_condition(lambda: self._state.is_settled)
            answer = self._say.answer(self._state.still_missing)
            await self._records.tell()
        return answer

    def _check(self, wish: Wish) -> None:
        """Refused before it is in the history; only what nobody could do now, whoever he is."""
        try:
            wishes.check(wish, self._state)
        except BillhookError as refusal:
            raise as_failure(refusal, is_kept=False) from refusal

    async def _answer(self, wish: Wish) -> Answer:
        """Whoever is answered finds in our records what he was answered."""
        asked = Asked(action_of(wish), actor_of(wish), wish, BY_UPDATE)
        self._records.update_came()
        await self._admit(asked)
        await asked.wait()
        await self._records.tell()
        return asked.result()

    async def _hear(self, action: Action, raw: RawValue) -> None:
        sent = raw.payload.data
        try:
            wish = wishes.read(action, sent, self._state)
        except BillhookError as refusal:
            unread = Asked(action, _NOBODY, None, BY_SIGNAL, sent={"sent": wishes.said(sent)})
            self._say.refuse(unread, refusal)
            return
        await self._catch_up(wish)
        await self._admit(Asked(action, actor_of(wish), wish, BY_SIGNAL))

    async def _catch_up(self, wish: Wish) -> None:
        """A task that is taken again begins with its signals, before the workflow is where our records were when they
        were sent. So what cannot be done is looked at again once it has come there; whoever asks by an update is
        refused, and asks again: docs/decisions/0027."""
        if not wishes.is_open(wish, self._state):
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: wishes.is_open(wish, self._state), timeout=_CATCHES_UP, timeout_summary="not open now"
                )

    async def _admit(self, asked: Asked[Wish]) -> None:
        """Into the inbox, or refused. What takes time may change the state, so it is looked at before and after."""
        try:
            wishes.check(asked.wish, self._state)
            if isinstance(asked.wish, Propose):
                proposing.keep(asked, self._say)
                if not proposing.moves(asked.wish, self._state):
                    asked.answer = self._say.answer(self._state.still_missing)
            elif not isinstance(asked.wish, _AUTHORIZED_LATER):
                asked.mail = (await self._records.authorize(asked.action, asked.actor)).mail
                wishes.check(asked.wish, self._state)
        except BillhookError as refusal:
            self._say.refuse(asked, refusal)
        else:
            if asked.answer is None:
                self._inbox.put(asked)
