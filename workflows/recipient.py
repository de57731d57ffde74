"""Living on the recipient's events: weeks of waiting for a view, an amendment, a change request or the approval."""

from temporalio import workflow

from activities import signatures as step
from billing.decisions import Action, DecideChange
from billing.errors import BadInput, NotPossible
from billing.intent import Intent
from billing.lifecycle import Lifecycle
from billing.proposals import accepted
from billing.record import Status
from workflows.alarm import Alarm
from workflows.amendments import Amendments
from workflows.cases import open_cases, withdraw_cases
from workflows.inbox import Asked, Inbox
from workflows.requests import Requests
from workflows.state import InvoiceStart, InvoiceState
from workflows.steps import Edited, Steps, Stopped

_WAITING = {
    Status.SENT: "Waits for the recipient to look at it.",
    Status.VIEWED: "The recipient has seen it; waits for approval.",
    Status.APPROVED: "Approved; being read back, marked billed and posted.",
    Status.CHANGE_REQUESTED: "The recipient asks for a change; a person must accept or decline it.",
}


class RecipientWatch:
    """Compares the fold with what is done, and does the difference."""

    def __init__(self, intent: Intent, state: InvoiceState, inbox: Inbox, steps: Steps) -> None:
        self._intent = intent
        self._state = state
        self._inbox = inbox
        self._steps = steps
        self._requests = Requests(intent, state)
        self._amendments = Amendments(state, steps, self._requests)
        self._follow_up = Alarm(None, "")
        self._case_alarms: dict[str, Alarm] = {}

    async def until_approved(self) -> None:
        """Returns when the current version is approved. Raises Stopped (cancelled, voided) or Edited (next version)."""
        self._set_alarms()
        try:
            while not self._state.approved_at:
                await self._read_events()
                if self._state.approved_at:
                    return
                await self._answer_cases()
                await self._ring()
                await self._steps.tell()
                self._continue_as_new_if_long()
                await workflow.wait_condition(self._has_news)
                self._steps.check_stop()
        finally:
            self._stop_alarms()

    def _has_news(self) -> bool:
        inbox = self._inbox
        alarms = self._follow_up.rang or any(alarm.rang for alarm in self._case_alarms.values())
        return bool(inbox.events or inbox.case_decisions or inbox.cancels or alarms)

    async def _read_events(self) -> None:
        """The whole inbox at once: the fold puts it in order."""
        self._state.hear(self._inbox.events)
        self._inbox.events.clear()
        life = self._state.life()
        self._state.note_fates(life)
        self._open_cases(life)
        if life.voided_at:
            raise Stopped("invoicing API", "voided there", at_api=True)
        self._become(life)
        await self._amendments.sync(life, stoppable=not life.approved_at)

    def _become(self, life: Lifecycle) -> None:
        status = Status.CHANGE_REQUESTED if self._state.open_cases and not life.approved_at else life.status
        self._state.approved_at = life.approved_at
        if life.approved_at:
            withdraw_cases(self._state)
        if status is not Status.SENT:
            self._follow_up.stop()
        self._steps.become(status, self._waiting_words(status))

    def _waiting_words(self, status: Status) -> str:
        words = _WAITING[status]
        if status is Status.CHANGE_REQUESTED:
            first = min(self._state.open_cases, key=lambda case: (case.deadline, case.opened_at, case.id))
            words += f" Case {first.id}: owner {first.owner}, until {first.deadline:%Y-%m-%d %H:%M} UTC."
        return words

    def _open_cases(self, life: Lifecycle) -> None:
        open_cases(life, self._state, self._steps)
        for case in self._state.open_cases:
            alarm = self._case_alarms.get(case.id)
            if alarm is not None and alarm.at is not None and alarm.at > max(case.deadline, workflow.now()):
                alarm.stop()
                alarm = None
            if alarm is None:
                self._case_alarms[case.id] = Alarm(case.deadline, "change request deadline")

    async def _answer_cases(self) -> None:
        while self._inbox.case_decisions:
            # Taken off the list only when answered: whoever still stands there is answered at the end.
            asked = self._inbox.case_decisions[0]
            if asked.wish.case_id not in {case.id for case in self._state.open_cases}:
                asked.refusal = NotPossible(asked.wish.action.value, "past this change request")
            elif asked.wish.action is Action.TAKE_CHANGE:
                self._take(asked)
            elif asked.wish.action is Action.ACCEPT_CHANGE:
                self._accept(asked)
            else:
                await self._decline(asked)
            self._inbox.case_decisions.pop(0)
            if self._state.answering_case:
                raise Edited

    def _take(self, asked: Asked[DecideChange]) -> None:
        """Whoever takes it owns it; that somebody works on it is the first response."""
        wish, case = asked.wish, self._state.cases[asked.wish.case_id]
        taken = {"owner": wish.actor, "first_response_at": case.first_response_at or workflow.now()}
        self._state.cases[case.id] = case.model_copy(update=taken)
        self._steps.decided(wish.action, wish.actor, self._state.revision, wish.note, asked.channel)
        self._become(self._state.life())
        asked.answer = self._steps.answer()

    def _accept(self, asked: Asked[DecideChange]) -> None:
        """Makes the next version's content; it is assessed, decided and issued like the first."""
        seen, wish = self._state.revision, asked.wish
        proposed = self._state.cases[wish.case_id].proposed
        try:
            patch = accepted(self._state.commercial, proposed, wish.patch, wish.parts)
            self._state.commercial = self._state.commercial.patched(patch)
        except BadInput as error:
            asked.refusal = error
            return
        self._state.version = self._state.issued_version + 1
        self._state.answering_case = asked.wish.case_id
        self._steps.decided(asked.wish.action, asked.wish.actor, seen, asked.wish.note, asked.channel)
        asked.answer = self._steps.answer()

    async def _decline(self, asked: Asked[DecideChange]) -> None:
        wish = asked.wish
        await self._steps.take(step.DECLINE_CHANGE, lambda: self._requests.decline(wish.case_id, wish.note))
        case = self._state.cases[wish.case_id]
        self._state.cases[case.id] = case.model_copy(update={"status": "declined", "answer": wish.note})
        self._steps.decided(wish.action, wish.actor, self._state.revision, wish.note, asked.channel)
        self._become(self._state.life())
        asked.answer = self._steps.answer()

    def _set_alarms(self) -> None:
        if self._state.followed_up_version < self._state.issued_version and self._state.life().status is Status.SENT:
            self._follow_up = Alarm(self._state.follow_up_at, "follow-up if not viewed")
        now = workflow.now()
        for case in self._state.open_cases:
            self._case_alarms[case.id] = Alarm(
                case.deadline if case.deadline > now else None, "change request deadline"
            )

    def _stop_alarms(self) -> None:
        for alarm in [self._follow_up, *self._case_alarms.values()]:
            alarm.stop()

    async def _ring(self) -> None:
        if self._follow_up.rang:
            self._follow_up.stop()
            await self._mail_follow_up()
        for case_id, alarm in self._case_alarms.items():
            if alarm.rang:
                alarm.stop()
                if self._state.cases[case_id].status == "open":
                    self._steps.note("breach", "billhook", f"case {case_id} passed its deadline")

    async def _mail_follow_up(self) -> None:
        """Asks once per version whether the link arrived."""
        inbox = self._inbox
        await self._steps.offer(
            step.SEND_MAIL,
            lambda: self._requests.mail("follow_up"),
            lambda: bool(inbox.events or inbox.case_decisions),
        )
        self._state.followed_up_version = self._state.issued_version

    def _continue_as_new_if_long(self) -> None:
        inbox = self._inbox
        waiting = inbox.events or inbox.case_decisions or inbox.cancels or inbox.retries
        if workflow.info().is_continue_as_new_suggested() and not waiting and workflow.all_handlers_finished():
            workflow.continue_as_new(InvoiceStart(intent=self._intent, state=self._state))
