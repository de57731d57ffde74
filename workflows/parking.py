"""A step that was refused for good: the invoice waits in `needs_attention` until a person has it taken again, as it was
or with an edit, or gives the invoice up, or until the recipient's approval or the API overtakes it."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.signatures import DECLINE_CHANGE, A, Q, Signature
from billing.decisions import Action, Cancel, Retry
from billing.errors import BadInput, NotPossible
from billing.record import Status
from workflows.failures import words_of
from workflows.inbox import Asked, Inbox
from workflows.interruptions import Edited, Stopped
from workflows.overtaken import check_overtaken
from workflows.own_records import OwnRecords
from workflows.rest import Rest
from workflows.state import InvoiceState, Parked
from workflows.teller import Teller


class Parking:
    """One for each invoice."""

    def __init__(self, state: InvoiceState, inbox: Inbox, rest: Rest, say: Teller, records: OwnRecords) -> None:
        self._state = state
        self._inbox = inbox
        self._rest = rest
        self._say = say
        self._records = records

    def park(self, signature: Signature[Q, A], error: ActivityError) -> None:
        reason = words_of(error).rstrip(".")
        words = f"Could not {signature.words}: {reason}. Mend the cause, then `retry`."
        self._state.failed_step, self._state.parked = signature.name, Parked(before=self._state.status, words=words)
        self._say.note("failed", "billhook", f"could not {signature.words}: {reason}")

    async def stay(self, parked: Parked, *, stoppable: bool) -> None:
        """Until somebody has it taken again, as it was or with an edit. Raises Stopped or Edited."""
        self._say.become(Status.NEEDS_ATTENTION, parked.words)
        await self._records.tell()
        try:
            retry = await self._wait_for_retry(stoppable=stoppable)
        except Edited:
            self._take_up(parked.before)
            self._refuse_retries("overtaken by the recipient's approval")
            raise
        except Stopped:
            self._state.parked = None
            raise
        self._take_up(parked.before)
        retry.answer = self._say.answer()
        self._refuse_retries(f"taken up again by {retry.actor} already")
        if retry.wish.patch is not None:
            raise Edited

    def _take_up(self, status: Status) -> None:
        self._state.failed_step = self._state.parked = None
        self._say.become(status)

    def _refuse_retries(self, state: str) -> None:
        late, self._inbox.retries = self._inbox.retries, []
        for asked in late:
            self._say.refuse(asked, NotPossible(asked.action.value, state))

    async def _wait_for_retry(self, *, stoppable: bool) -> Asked[Retry]:
        """Raises Stopped or Edited where the step is overtaken by a cancel, a void or the recipient's approval."""
        inbox = self._inbox
        while True:
            await self._rest.until(
                lambda: self._is_called(stoppable=stoppable), resumable=stoppable and self._comes_back
            )
            if stoppable:
                inbox.check_stop()
                check_overtaken(self._state, inbox)
            if not inbox.retries:
                await self._records.tell()
                continue
            asked = inbox.retries.pop(0)
            gives_up = asked.action is Action.ABANDON
            changes = not self._state.approved_at if gives_up else asked.wish.patch is not None
            if changes and not stoppable:
                self._say.refuse(asked, NotPossible("edit or abandon", "already being withdrawn", "retry"))
            elif gives_up:
                self._abandon(asked)
            elif self._accepts(asked):
                return asked

    @property
    def _comes_back(self) -> bool:
        """Whether another run comes to the failed step by the state alone. To what ends an invoice, bills it or answers
        for our own approver it does not: that somebody said so stands in no state."""
        return self._state.failed_step != DECLINE_CHANGE.name

    def _is_called(self, *, stoppable: bool) -> bool:
        inbox = self._inbox
        return bool(inbox.retries or self._records.has_news or (stoppable and (inbox.cancels or inbox.events)))

    def _abandon(self, asked: Asked[Any]) -> None:
        """What the recipient approved is closed unbilled; anything else is withdrawn at the API first."""
        reason = asked.wish.reason or "abandoned"
        self._say.decided(asked, self._state.revision, reason)
        if self._state.approved_at:
            asked.answer = self._say.answer()
            raise Stopped(asked.actor, reason, at_api=True)
        # Answered when it is known whether the API let it go.
        asked.wish = Cancel(actor=asked.actor, reason=reason)
        self._inbox.put(asked)

    def _accepts(self, asked: Asked[Retry]) -> bool:
        seen = self._state.revision
        if asked.wish.patch is not None and self._state.is_issued:
            self._say.refuse(asked, NotPossible("edit", "issued", "retry without an edit"))
            return False
        try:
            edited = self._state.edit(asked.wish.patch, workflow.now(), asked.actor)
        except BadInput as error:
            self._say.refuse(asked, error)
            return False
        then = f"the edit made revision {self._state.revision}" if edited else ""
        self._say.decided(asked, seen, asked.wish.reason, then=then)
        return True
