"""How a step is taken: with its news aboard, interruptible by a cancel, and parked for a person when it fails for good.

A workflow never fails because an API did. A step that is refused leaves the invoice in `needs_attention` with the
step's name and the reason; a retry takes the same step again under the same step key.
"""

from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.signatures import SAVE_RECORD, A, Q, Request, Signature
from billing.decisions import Action, Answer, Cancel, Decision, Retry
from billing.errors import BadInput, NotPossible
from billing.record import Status
from workflows import options, visibility
from workflows.inbox import Asked, Inbox
from workflows.state import InvoiceState


class Stopped(Exception):
    """The invoice ends before it is billed; `at_api` says that the API ended it already."""

    def __init__(self, actor: str, reason: str, *, status: Status = Status.CANCELLED, at_api: bool = False) -> None:
        super().__init__(reason)
        self.actor = actor
        self.reason = reason
        self.status = status
        self.at_api = at_api


class Edited(Exception):
    """Everything that depends on the revision is to be done again."""


class Steps:
    """Takes steps for one invoice and keeps our records and the Temporal UI told."""

    def __init__(self, state: InvoiceState, inbox: Inbox) -> None:
        self._state = state
        self._inbox = inbox
        self._shown: tuple[Any, ...] = ()

    async def take(self, signature: Signature[Q, A], build: Callable[[], Q], *, stoppable: bool = True) -> A:
        """One outside step, until it succeeds. Raises Stopped or Edited when a person decided otherwise."""
        while True:
            try:
                return await self._once(signature, build, stoppable=stoppable)
            except ActivityError as error:
                await self._park(signature, error, stoppable=stoppable)

    async def settle(self, signature: Signature[Q, A], build: Callable[[], Q]) -> None:
        """One outside step after the end, where nobody can be waited for: a refusal is told in the timeline."""
        try:
            await self._once(signature, build, stoppable=False)
        except ActivityError as error:
            self.note("failed", "billhook", f"could not {signature.words}: {words_of(error)}; the invoice has ended")

    async def _once(self, signature: Signature[Q, A], build: Callable[[], Q], *, stoppable: bool) -> A:
        """Until it succeeds. Raises ActivityError where it is refused for good."""
        record = self._state.record()
        request = build().model_copy(update={"record": record})
        try:
            answer = await self._race(signature, request, stoppable=stoppable)
        except ActivityError:
            self._state.mark_told(record)
            raise
        self._state.mark_told(record)
        return answer

    async def offer(self, signature: Signature[Q, A], build: Callable[[], Q], gives_way: Callable[[], bool]) -> bool:
        """A courtesy, such as a reminder: it never parks an invoice and gives way to news. Whether it was done."""
        handle = workflow.start_activity(
            signature.name, build(), result_type=signature.answers, summary=signature.words, **options.COURTESY
        )
        await workflow.wait_condition(lambda: handle.done() or bool(self._inbox.cancels) or gives_way())
        if not handle.done():
            handle.cancel()
        try:
            await handle
        except ActivityError as error:
            self.note("mail", "billhook", f"could not {signature.words}: {words_of(error)}")
            return False
        return True

    async def ask(self, signature: Signature[Q, A], request: Q) -> A:
        """One short question to our own records, as a local activity; it carries the news as well."""
        record = self._state.record()
        answer: A = await workflow.execute_local_activity(
            signature.name,
            request.model_copy(update={"record": record}),
            result_type=signature.answers,
            summary=signature.words,
            **options.RECORDS,
        )
        self._state.mark_told(record)
        return answer

    async def tell(self) -> None:
        """Records what is new, if anything is, where no step follows to carry it."""
        if self._state.told < self._state.sequence:
            await self.ask(SAVE_RECORD, Request(key=self._state.key))

    def become(self, status: Status, waiting_for: str = "") -> None:
        """A state change: our record, the details in words, and one upsert for a state that lasts."""
        if (status, waiting_for) == (self._state.status, self._state.waiting_for) and self._shown:
            return
        self._state.status, self._state.waiting_for = status, waiting_for
        self._state.sequence += 1
        self.show()

    def show(self) -> None:
        record = self._state.record()
        workflow.set_current_details(visibility.current_details(record))
        shown = (record.status, record.total_minor, record.failed_step)
        if record.status in visibility.LASTING and shown != self._shown:
            workflow.upsert_search_attributes(visibility.updates(record))
            self._shown = shown

    def note(self, kind: str, actor: str, text: str) -> None:
        self._state.note(workflow.now(), kind, actor, text)

    def decided(self, action: Action, actor: str, seen: str, note: str, channel: str) -> None:
        """Keeps a human's answer: what he saw, and what the content is now."""
        self._state.decisions.append(
            Decision(
                at=workflow.now(),
                action=action,
                actor=actor,
                revision=seen,
                result_revision=self._state.revision,
                note=note,
                channel=channel,
            )
        )
        via = " (by signal)" if channel == "temporal" else ""
        self.note("decision", actor, f"{action.value.replace('_', ' ')}{via}: {note}" if note else action.value + via)

    def answer(self) -> Answer:
        return Answer(status=self._state.status.value, revision=self._state.revision)

    def check_stop(self) -> None:
        """Raises Stopped if a person asked to cancel; called wherever the invoice rests."""
        if self._inbox.cancels:
            wish = self._inbox.cancels[0].wish
            raise Stopped(wish.actor, wish.reason)

    async def _race(self, signature: Signature[Q, A], request: Q, *, stoppable: bool) -> A:
        if stoppable:
            self.check_stop()
        handle = workflow.start_activity(
            signature.name, request, result_type=signature.answers, summary=signature.words, **options.OUTSIDE
        )
        await workflow.wait_condition(lambda: handle.done() or (stoppable and bool(self._inbox.cancels)))
        if not handle.done():
            handle.cancel()
            await workflow.wait_condition(handle.done)
            self.check_stop()
        result: A = await handle
        return result

    async def _park(self, signature: Signature[Q, A], error: ActivityError, *, stoppable: bool) -> None:
        before = self._state.status
        reason = words_of(error)
        self._state.failed_step = signature.name
        self.note("failed", "billhook", f"could not {signature.words}: {reason}")
        self.become(Status.NEEDS_ATTENTION, f"Could not {signature.words}: {reason}. Mend the cause, then `retry`.")
        await self.tell()
        retry = await self._wait_for_retry(stoppable=stoppable)
        self._state.failed_step = None
        self.become(before)
        retry.answer = self.answer()
        if retry.wish.patch is not None:
            raise Edited

    async def _wait_for_retry(self, *, stoppable: bool) -> Asked[Retry]:
        while True:
            await workflow.wait_condition(
                lambda: bool(self._inbox.retries) or (stoppable and bool(self._inbox.cancels))
            )
            if stoppable:
                self.check_stop()
            asked = self._inbox.retries.pop(0)
            if asked.wish.abandon and self._state.approved_at:
                asked.answer = self.answer()
                raise Stopped(asked.wish.actor, asked.wish.reason or "abandoned", at_api=True)
            if not stoppable and (asked.wish.abandon or asked.wish.patch is not None):
                asked.refusal = NotPossible("edit or abandon", "already being withdrawn", "retry")
            elif asked.wish.abandon:
                self._abandon(asked)
            elif self._accepts(asked):
                return asked

    def _abandon(self, asked: Asked[Retry]) -> None:
        asked.answer = self.answer()
        self._inbox.ask_cancel(Cancel(actor=asked.wish.actor, reason=asked.wish.reason or "abandoned"))

    def _accepts(self, asked: Asked[Retry]) -> bool:
        seen = self._state.revision
        if asked.wish.patch is not None and self._state.is_issued:
            asked.refusal = NotPossible("edit", "issued", "retry without an edit")
            return False
        try:
            self._state.edit(asked.wish.patch)
        except BadInput as error:
            asked.refusal = error
            return False
        self.decided(Action.RETRY, asked.wish.actor, seen, asked.wish.reason, asked.channel)
        return True


def words_of(error: ActivityError) -> str:
    """The cause as the connector said it, without Temporal's wrapping."""
    cause = error.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)
