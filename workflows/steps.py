"""How a step is taken: with its news aboard, interruptible by a cancel, and parked for a person when it fails for good.

A workflow never fails because an API did. A step that is refused leaves the invoice in `needs_attention` with the
step's name and the reason; a retry takes the same step again under the same step key.
"""

from collections.abc import Callable

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError

from activities.signatures import A, Done, Q, Signature
from workflows import options, priorities
from workflows.failures import words_of
from workflows.inbox import Inbox
from workflows.own_records import OwnRecords
from workflows.parking import Parking
from workflows.rest import Rest
from workflows.state import InvoiceState
from workflows.teller import Teller


class Steps:
    """Takes the outside steps of one invoice. `say`, `records` and `rest` are for whoever takes steps by it."""

    def __init__(self, state: InvoiceState, inbox: Inbox, rest: Rest, triggered_by: str) -> None:
        self.say = Teller(state)
        self.records = OwnRecords(state, triggered_by)
        self.rest = rest
        self._state = state
        self._inbox = inbox
        self._parking = Parking(state, inbox, rest, self.say, self.records)

    async def take(self, signature: Signature[Q, A], build: Callable[[], Q], *, stoppable: bool = True) -> A:
        """One outside step, until it succeeds. Raises Stopped or Edited when a person decided otherwise.

        A run that goes on where another left a parked step waits as that one did, before it takes the step again.
        """
        while True:
            if self._state.parked and self._state.failed_step == signature.name:
                await self._parking.stay(self._state.parked, stoppable=stoppable)
            try:
                return await self._once(signature, build, stoppable=stoppable)
            except ActivityError as error:
                self._parking.park(signature, error)

    async def settle(self, signature: Signature[Q, A], build: Callable[[], Q]) -> None:
        """One outside step after the end, where nobody can be waited for: a refusal is told in the timeline."""
        try:
            await self._once(signature, build, stoppable=False)
        except ActivityError as error:
            self.say.note(
                "failed", "billhook", f"could not {signature.words}: {words_of(error)}; the invoice has ended"
            )

    async def _once(self, signature: Signature[Q, A], build: Callable[[], Q], *, stoppable: bool) -> A:
        """Until it succeeds. Raises ActivityError where it is refused for good."""
        record = self._state.record()
        request = build().model_copy(update={"record": record})
        try:
            answer = await self._race(signature, request, stoppable=stoppable)
        except ActivityError:
            self._state.news.mark_told(record)
            raise
        self._state.news.mark_told(record)
        if isinstance(answer, Done):
            self._state.news.called(signature.name, answer.calls)
        return answer

    async def offer(self, signature: Signature[Q, A], build: Callable[[], Q], gives_way: Callable[[], bool]) -> bool:
        """A courtesy, such as a reminder: it never parks an invoice and gives way to news. Whether it was done."""
        # Who is mailed may look at once: what happened is recorded by then.
        await self.records.tell()
        handle = workflow.start_activity(
            signature.name,
            build(),
            result_type=signature.answers,
            summary=signature.words,
            **options.courtesy(signature.name),
        )
        await workflow.wait_condition(lambda: handle.done() or bool(self._inbox.cancels) or gives_way())
        gave_way = not handle.done()
        if gave_way:
            handle.cancel()
        try:
            answer = await handle
        except ActivityError as error:
            if not gave_way:
                self.say.note("mail", "billhook", f"could not {signature.words}: {words_of(error)}")
            return False
        if isinstance(answer, Done):
            self._state.news.called(signature.name, answer.calls)
        return True

    async def _race(self, signature: Signature[Q, A], request: Q, *, stoppable: bool) -> A:
        if stoppable:
            self._inbox.check_stop()
        handle = workflow.start_activity(
            signature.name, request, result_type=signature.answers, summary=signature.words, priority=self._rank(),
            **options.outside(signature.name),
        )  # fmt: skip
        await workflow.wait_condition(lambda: handle.done() or (stoppable and bool(self._inbox.cancels)))
        if not handle.done():
            handle.cancel()
            await workflow.wait_condition(handle.done)
            if handle.cancelled() or handle.exception() is not None:
                self._inbox.check_stop()
            # It took effect all the same: what came of it is kept, and the next step stops.
        result: A = await handle
        return result

    def _rank(self) -> Priority:
        """Before everything else once a person has answered: he looks on, also where a run made the invoice."""
        answered = self._state.is_attended or self._inbox.cancels
        return priorities.ANSWERED if answered else Priority.default
