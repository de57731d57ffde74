"""How a step is taken: with its news aboard, interruptible by a cancel, and parked for a person when it fails for good.

A workflow never fails because an API did. A step that is refused leaves the invoice in `needs_attention` with the
step's name and the reason; a retry takes the same step again under the same step key.
"""

from collections.abc import Callable
from typing import Any, Final

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError

from activities.signatures import (
    AUTHORIZE,
    DECLINE_CHANGE,
    SAVE_RECORD,
    A,
    Authorize,
    Done,
    Q,
    Request,
    Signature,
    Verdict,
)
from billing.decisions import Action, Answer, Cancel, Decision, Retry
from billing.errors import BadInput, BillhookError, Forbidden, NotPossible
from billing.intent import Commercial
from billing.record import Status
from billing.trail import decision_body
from billing.untrusted import one_line
from workflows import options, priorities, visibility
from workflows.inbox import BY_SIGNAL, Asked, Inbox
from workflows.interruptions import Edited, Stopped
from workflows.overtaken import check_overtaken
from workflows.rest import Rest
from workflows.state import InvoiceState, Parked

_LONGEST_REASON: Final = 1_000


class Steps:
    """Takes steps for one invoice and keeps our records and the Temporal UI told."""

    def __init__(self, state: InvoiceState, inbox: Inbox, rest: Rest, triggered_by: str) -> None:
        self.rest = rest
        self._state = state
        self._inbox = inbox
        self._triggered_by = triggered_by
        self._shown: tuple[Any, ...] = ()

    async def take(self, signature: Signature[Q, A], build: Callable[[], Q], *, stoppable: bool = True) -> A:
        """One outside step, until it succeeds. Raises Stopped or Edited when a person decided otherwise.

        A run that goes on where another left a parked step waits as that one did, before it takes the step again.
        """
        while True:
            if self._state.parked and self._state.failed_step == signature.name:
                await self._stay(self._state.parked, stoppable=stoppable)
            try:
                return await self._once(signature, build, stoppable=stoppable)
            except ActivityError as error:
                self._park(signature, error)

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
            self._state.news.mark_told(record)
            raise
        self._state.news.mark_told(record)
        if isinstance(answer, Done):
            self._state.news.called(signature.name, answer.calls)
        return answer

    async def offer(self, signature: Signature[Q, A], build: Callable[[], Q], gives_way: Callable[[], bool]) -> bool:
        """A courtesy, such as a reminder: it never parks an invoice and gives way to news. Whether it was done."""
        # Who is mailed may look at once: what happened is recorded by then.
        await self.tell()
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
                self.note("mail", "billhook", f"could not {signature.words}: {words_of(error)}")
            return False
        if isinstance(answer, Done):
            self._state.news.called(signature.name, answer.calls)
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
        self._state.news.mark_told(record)
        return answer

    async def authorize(
        self, action: Action, actor: str, commercial: Commercial | None = None, approved_by: tuple[str, ...] = ()
    ) -> Verdict:
        """May he? Raises Forbidden. It carries no news, so that handlers may ask while a step is under way."""
        wish = Authorize(
            key=self._state.key,
            actor=actor,
            action=action,
            commercial=commercial or self._state.commercial,
            triggered_by=self._triggered_by,
            approved_by=approved_by,
        )
        verdict: Verdict = await workflow.execute_local_activity(
            AUTHORIZE.name, wish, result_type=AUTHORIZE.answers, summary=AUTHORIZE.words, **options.RECORDS
        )
        if verdict.refusal:
            raise Forbidden(verdict.refusal)
        return verdict

    async def tell(self) -> None:
        """Records what is new, if anything is, where no step follows to carry it."""
        if self.has_news:
            await self.ask(SAVE_RECORD, Request(key=self._state.key))

    @property
    def has_news(self) -> bool:
        return not self._state.news.is_told

    def become(self, status: Status, waiting_for: str = "") -> None:
        """A state change: our record, the details in words, and one upsert for a state that lasts."""
        if (status, waiting_for) == (self._state.status, self._state.waiting_for) and self._shown:
            return
        if status is not self._state.status:
            self._state.refusal = ""
        self._state.status, self._state.waiting_for = status, waiting_for
        self._state.news.changed()
        self.show()

    def show(self) -> None:
        record = self._state.record()
        workflow.set_current_details(visibility.current_details(record, self._state.refusal))
        shown = (record.status, record.total_minor, record.failed_step)
        if record.status in visibility.LASTING and shown != self._shown:
            workflow.upsert_search_attributes(visibility.updates(record))
            self._shown = shown

    def note(self, kind: str, actor: str, text: str) -> None:
        self._state.news.note(workflow.now(), kind, actor, text)

    def keep(self, kind: str, actor: str, **body: Any) -> None:
        """One entry of the audit trail; `body` holds JSON values alone."""
        self._state.news.append(workflow.now(), kind, actor, {"revision": self._state.revision, **body})

    def decided(self, asked: Asked[Any], seen: str, note: str, *, then: str = "", **more: Any) -> None:
        """Keeps a human's answer: what he saw, and what the content is now. `then` says in words what came of it."""
        at, action = workflow.now(), asked.action
        self._state.is_attended = True
        decision = Decision(
            at=at,
            action=action,
            actor=asked.actor,
            revision=seen,
            result_revision=self._state.revision,
            note=note,
            channel=asked.channel,
        )
        self._state.news.decided(decision)
        self._state.news.append(at, action.value, asked.actor, {**decision_body(decision), **more, **_edit(asked)})
        self._state.news.note(at, "decision", asked.actor, f"{_words(asked)}{_after(': ', note)}{_after('; ', then)}")

    def refuse(self, asked: Asked[Any], refusal: BillhookError) -> None:
        """A signal has no answer: whoever sent it reads the reason in the timeline and in the Temporal UI."""
        asked.refusal = refusal
        seen = getattr(asked.wish, "revision", self._state.revision)
        reason = one_line(refusal.detail, _LONGEST_REASON)
        self.keep(
            "refused", asked.actor, action=asked.action.value, channel=asked.channel, revision=seen, reason=reason,
            note=getattr(asked.wish, "note", getattr(asked.wish, "reason", "")), **asked.sent, **_edit(asked),
        )  # fmt: skip
        self.note("refused", asked.actor, f"{_words(asked)} refused: {reason}")
        self._state.refusal = f"{_words(asked)} refused: {reason}{_after('; ', refusal.next_step)}"
        self.show()

    def answer(self, note: str = "") -> Answer:
        return Answer(status=self._state.status.value, revision=self._state.revision, note=note)

    def check_stop(self) -> None:
        """Raises Stopped if a person asked to cancel; called wherever the invoice rests."""
        if self._inbox.cancels:
            wish = self._inbox.cancels[0].wish
            raise Stopped(wish.actor, wish.reason)

    async def _race(self, signature: Signature[Q, A], request: Q, *, stoppable: bool) -> A:
        if stoppable:
            self.check_stop()
        handle = workflow.start_activity(
            signature.name, request, result_type=signature.answers, summary=signature.words, priority=self._rank(),
            **options.outside(signature.name),
        )  # fmt: skip
        await workflow.wait_condition(lambda: handle.done() or (stoppable and bool(self._inbox.cancels)))
        if not handle.done():
            handle.cancel()
            await workflow.wait_condition(handle.done)
            self.check_stop()
        result: A = await handle
        return result

    def _rank(self) -> Priority:
        """Before everything else once a person has answered: he looks on, also where a run made the invoice."""
        answered = self._state.is_attended or self._inbox.cancels
        return priorities.ANSWERED if answered else Priority.default

    def _park(self, signature: Signature[Q, A], error: ActivityError) -> None:
        reason = words_of(error)
        words = f"Could not {signature.words}: {reason}. Mend the cause, then `retry`."
        self._state.failed_step, self._state.parked = signature.name, Parked(before=self._state.status, words=words)
        self.note("failed", "billhook", f"could not {signature.words}: {reason}")

    async def _stay(self, parked: Parked, *, stoppable: bool) -> None:
        """Until somebody has it taken again, as it was or with an edit. Raises Stopped or Edited."""
        self.become(Status.NEEDS_ATTENTION, parked.words)
        await self.tell()
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
        retry.answer = self.answer()
        self._refuse_retries(f"taken up again by {retry.actor} already")
        if retry.wish.patch is not None:
            raise Edited

    def _take_up(self, status: Status) -> None:
        self._state.failed_step = self._state.parked = None
        self.become(status)

    def _refuse_retries(self, state: str) -> None:
        late, self._inbox.retries = self._inbox.retries, []
        for asked in late:
            self.refuse(asked, NotPossible(asked.action.value, state))

    async def _wait_for_retry(self, *, stoppable: bool) -> Asked[Retry]:
        """Raises Stopped or Edited where the step is overtaken by a cancel, a void or the recipient's approval."""
        inbox = self._inbox
        while True:
            await self.rest.until(
                lambda: self._is_called(stoppable=stoppable), resumable=stoppable and self._comes_back
            )
            if stoppable:
                self.check_stop()
                check_overtaken(self._state, inbox)
            if not inbox.retries:
                await self.tell()
                continue
            asked = inbox.retries.pop(0)
            gives_up = asked.action is Action.ABANDON
            changes = not self._state.approved_at if gives_up else asked.wish.patch is not None
            if changes and not stoppable:
                self.refuse(asked, NotPossible("edit or abandon", "already being withdrawn", "retry"))
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
        return bool(inbox.retries or self.has_news or (stoppable and (inbox.cancels or inbox.events)))

    def _abandon(self, asked: Asked[Retry]) -> None:
        """What the recipient approved is closed unbilled; anything else is withdrawn at the API first."""
        reason = asked.wish.reason or "abandoned"
        self.decided(asked, self._state.revision, reason)
        asked.answer = self.answer()
        if self._state.approved_at:
            raise Stopped(asked.actor, reason, at_api=True)
        self._inbox.put(Asked(Action.ABANDON, asked.actor, Cancel(actor=asked.actor, reason=reason), asked.channel))

    def _accepts(self, asked: Asked[Retry]) -> bool:
        seen = self._state.revision
        if asked.wish.patch is not None and self._state.is_issued:
            self.refuse(asked, NotPossible("edit", "issued", "retry without an edit"))
            return False
        try:
            edited = self._state.edit(asked.wish.patch, workflow.now(), asked.actor)
        except BadInput as error:
            self.refuse(asked, error)
            return False
        then = f"the edit made revision {self._state.revision}" if edited else ""
        self.decided(asked, seen, asked.wish.reason, then=then)
        return True


def words_of(error: ActivityError) -> str:
    """The cause as the connector said it, without Temporal's wrapping."""
    cause = error.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)


def _words(asked: Asked[Any]) -> str:
    via = " (by signal)" if asked.channel == BY_SIGNAL else ""
    return asked.action.value.replace("_", " ") + via


def _after(before: str, text: str) -> str:
    return before + text if text else ""


def _edit(asked: Asked[Any]) -> dict[str, Any]:
    """The edit as it was sent, for the trail."""
    patch = getattr(asked.wish, "patch", None)
    return {} if patch is None else {"edit": patch.model_dump(mode="json", exclude_defaults=True)}
