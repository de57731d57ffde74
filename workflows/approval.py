"""A person must decide before this revision is issued: the wait, its reminders, and what the answer does."""

from datetime import datetime

from temporalio import workflow

from activities import signatures as step
from billing.decisions import Action, Decide
from billing.errors import BadInput, Forbidden, NotPossible, StaleRevision
from billing.intent import Intent
from billing.record import Status
from workflows.alarm import Alarm
from workflows.inbox import Asked, Inbox
from workflows.requests import Requests
from workflows.state import InvoiceState
from workflows.steps import Edited, Steps, Stopped


class Approval:
    """One wait for a decision on the present revision."""

    def __init__(self, intent: Intent, state: InvoiceState, inbox: Inbox, steps: Steps) -> None:
        self._intent = intent
        self._state = state
        self._inbox = inbox
        self._steps = steps
        self._requests = Requests(intent, state)
        self._done_alarms: set[str] = set()

    async def wait(self) -> None:
        """Until the revision is cleared. Raises Stopped when rejected, expired or cancelled, Edited when it changed."""
        self._steps.become(Status.AWAITING_APPROVAL, self._waiting_words())
        alarm = self._next_alarm()
        try:
            while not self._state.is_cleared:
                await self._steps.tell()
                await self._wait_for_news(alarm)
                self._steps.check_stop()
                self._check_overtaken()
                if alarm.rang:
                    await self._ring()
                    alarm = self._next_alarm()
                elif self._inbox.decisions:
                    await self._read(self._inbox.decisions[0])
                    self._inbox.decisions.pop(0)
        finally:
            alarm.stop()

    def _waiting_words(self) -> str:
        reasons = self._state.assessment.reasons if self._state.assessment else ()
        return " ".join(["Waits for a person to approve.", *(reason.text for reason in reasons)])

    async def _wait_for_news(self, alarm: Alarm) -> None:
        inbox = self._inbox
        await workflow.wait_condition(
            lambda: bool(
                inbox.decisions or inbox.cancels or alarm.rang or (inbox.events and self._state.issued_version)
            )
        )

    def _check_overtaken(self) -> None:
        """The recipient may approve the issued version while its successor still waits for us: then that one stands."""
        if not self._state.issued_version:
            return
        self._state.hear(self._inbox.events)
        self._inbox.events.clear()
        life = self._state.life()
        if life.voided_at:
            raise Stopped("invoicing API", "voided there", at_api=True)
        if life.approved_at:
            words = f"V{self._state.issued_version} was approved before V{self._state.version} was issued, and stands"
            self._steps.note("overtaken", "recipient", words)
            self._back_to_issued()
            raise Edited

    def _back_to_issued(self) -> None:
        self._state.version = self._state.issued_version
        self._state.commercial = self._state.issued_commercial or self._state.commercial
        self._state.answering_case = None

    async def _read(self, asked: Asked[Decide]) -> None:
        wish = asked.wish
        try:
            meant = self._state.commercial.patched(wish.patch)
        except BadInput as error:
            asked.refusal = error
            return
        verdict = await self._steps.ask(
            step.AUTHORIZE,
            step.Authorize(
                key=self._state.key,
                actor=wish.approver,
                commercial=meant,
                triggered_by=self._intent.source.triggered_by,
                action=wish.action,
            ),
        )
        if verdict.refusal:
            asked.refusal = Forbidden(verdict.refusal)
        elif wish.revision != self._state.revision:
            asked.refusal = StaleRevision(wish.revision, self._state.revision)
        elif wish.action is Action.APPROVE:
            self._approve(asked)
        elif not wish.note.strip():
            asked.refusal = BadInput("note", "a rejection needs a reason")
        else:
            await self._reject(asked)
        if asked.refusal is not None:
            self._steps.note("refused", wish.approver, f"{wish.action.value} refused: {asked.refusal.detail}")
            # A signal has no answer; whoever sent it from the Temporal UI reads it here.
            last = f"Last answer refused: {asked.refusal.detail}."
            self._steps.become(Status.AWAITING_APPROVAL, f"{self._waiting_words()} {last}")

    def _approve(self, asked: Asked[Decide]) -> None:
        self._state.edit(asked.wish.patch)
        edited = asked.wish.revision != self._state.revision
        self._state.approved_revision = self._state.revision
        self._steps.decided(Action.APPROVE, asked.wish.approver, asked.wish.revision, asked.wish.note, asked.channel)
        self._steps.become(Status.DRAFTING if edited else Status.ISSUING)
        asked.answer = self._steps.answer()
        if edited:
            self._inbox.decisions.pop(0)
            raise Edited

    async def _reject(self, asked: Asked[Decide]) -> None:
        wish = asked.wish
        self._steps.decided(Action.REJECT, wish.approver, wish.revision, wish.note, asked.channel)
        ends = not self._state.issued_version
        asked.answer = self._steps.answer().model_copy(update={"status": Status.REJECTED.value} if ends else {})
        self._inbox.decisions.pop(0)
        self._inbox.decisions, rest = [], self._inbox.decisions
        for late in rest:
            late.refusal = NotPossible(late.wish.action.value, "already rejected")
        if self._state.issued_version:
            await self._decline_next_version(wish.note)
            raise Edited
        raise Stopped(wish.approver, wish.note, status=Status.REJECTED)

    async def _decline_next_version(self, words: str) -> None:
        """Our own approver refused the next version: the recipient's wish is declined, the issued version stands."""
        case = self._state.cases[self._state.answering_case or ""]
        await self._steps.take(step.DECLINE_CHANGE, lambda: self._requests.decline(case.id, words))
        self._state.cases[case.id] = case.model_copy(update={"status": "declined", "answer": words})
        self._back_to_issued()

    def _times(self) -> list[tuple[datetime, str]]:
        assessment = self._state.assessment
        if assessment is None:
            return []
        named = [
            (assessment.remind_at, "reminder"),
            (assessment.escalate_at, "escalation"),
            (assessment.expire_at, "expiry"),
        ]
        return sorted((at, name) for at, name in named if at is not None and name not in self._done_alarms)

    def _next_alarm(self) -> Alarm:
        times = self._times()
        return Alarm(times[0][0], f"approval {times[0][1]}") if times else Alarm(None, "")

    async def _ring(self) -> None:
        _, name = self._times()[0]
        self._done_alarms.add(name)
        if name == "expiry" and self._state.issued_version:
            await self._decline_next_version("nobody decided in time")
            raise Edited
        if name == "expiry":
            raise Stopped("policy", "nobody decided in time", status=Status.REJECTED)
        self._steps.note(name, "billhook", f"{name}: still waits for a decision")
        to = self._whom(name)
        if "@" in to:
            inbox = self._inbox
            await self._steps.offer(
                step.SEND_MAIL, lambda: self._requests.mail(name, to), lambda: bool(inbox.decisions or inbox.events)
            )

    def _whom(self, name: str) -> str:
        assessment = self._state.assessment
        if assessment is None:
            return ""
        return (assessment.escalate_to if name == "escalation" else "") or assessment.assignee
