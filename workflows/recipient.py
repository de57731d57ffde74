"""Living on the recipient's events: weeks of waiting for a view, an amendment, a change request or the approval."""

from typing import Any

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
from workflows.case_clock import CaseClock
from workflows.cases import resolve, respond, take, withdraw_cases
from workflows.inbox import Asked, Inbox
from workflows.interruptions import Edited, Stopped
from workflows.overtaken import read_events
from workflows.requests import Requests
from workflows.state import InvoiceState
from workflows.steps import Steps

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
        self._say = steps.say
        self._records = steps.records
        self._requests = Requests(intent, state)
        self._amendments = Amendments(state, steps, self._requests)
        self._follow_up = Alarm(None, "")
        self._cases = CaseClock(state, steps, self._requests, self._is_answered)

    async def until_approved(self) -> None:
        """Returns when the current version is approved. Raises Stopped (cancelled, voided) or Edited (next version)."""
        self._set_alarms()
        try:
            while not self._state.approved_at:
                await self._read_events()
                if self._state.approved_at:
                    break
                await self._answer_cases()
                await self._ring()
                await self._records.tell()
                await self._steps.rest.until(self._has_news)
                self._inbox.check_stop()
        finally:
            self._stop_alarms()
        self._refuse_rest("approved by the recipient")

    def _is_answered(self) -> bool:
        return bool(self._inbox.events or self._inbox.case_decisions or self._inbox.cancels)

    def _has_news(self) -> bool:
        return self._is_answered() or self._follow_up.rang or self._cases.rang or self._records.has_news

    async def _read_events(self) -> None:
        life = read_events(self._state, self._inbox)
        self._cases.set()
        if life.voided_at:
            raise Stopped(life.ended_by, "voided there", at_api=True)
        self._become(life)
        await self._amendments.sync(life, stoppable=not life.approved_at)

    def _become(self, life: Lifecycle) -> None:
        status = Status.CHANGE_REQUESTED if self._state.open_cases and not life.approved_at else life.status
        self._state.approved_at = life.approved_at
        if life.approved_at:
            withdraw_cases(self._state, life.approved_at, life.ended_by)
        if status is not Status.SENT:
            self._follow_up.stop()
        self._say.become(status, self._waiting_words(status))

    def _waiting_words(self, status: Status) -> str:
        words = _WAITING[status]
        if status is Status.CHANGE_REQUESTED:
            first = min(self._state.open_cases, key=lambda case: (case.deadline, case.opened_at, case.id))
            words += f" Case {first.id}: owner {first.owner}, until {first.deadline:%Y-%m-%d %H:%M} UTC."
        return words

    async def _answer_cases(self) -> None:
        while self._inbox.case_decisions:
            # Taken off the list only when answered: whoever still stands there is answered at the end.
            asked = self._inbox.case_decisions[0]
            if asked.wish.case_id not in {case.id for case in self._state.open_cases}:
                self._say.refuse(asked, NotPossible(asked.action.value, "past this change request"))
            elif asked.action is Action.ACCEPT_CHANGE:
                self._accept(asked)
            elif asked.action is Action.DECLINE_CHANGE:
                await self._decline(asked)
            else:
                self._take(asked)
            self._inbox.case_decisions.pop(0)
            if self._state.answering_case:
                self._refuse_rest(f"making V{self._state.version} for another change request")
                raise Edited

    def _refuse_rest(self, state: str) -> None:
        """Whoever was a moment later than the one whose answer changed it all."""
        waiting, self._inbox.case_decisions = self._inbox.case_decisions, []
        for asked in waiting:
            self._say.refuse(asked, NotPossible(asked.action.value, state))

    def _take(self, asked: Asked[DecideChange]) -> None:
        take(self._state, asked, workflow.now())
        self._keep(asked)
        self._become(self._state.life())
        asked.answer = self._say.answer(f"case {asked.wish.case_id} is {asked.actor}'s")

    def _accept(self, asked: Asked[DecideChange]) -> None:
        """Makes the next version's content; it is assessed, decided and issued like the first."""
        state, wish, seen = self._state, asked.wish, self._state.revision
        try:
            patch = accepted(state.commercial, state.cases[wish.case_id].proposed, wish.patch, wish.parts)
            state.begin_next_version(patch, wish.case_id, workflow.now(), asked.actor)
        except BadInput as refusal:
            self._say.refuse(asked, refusal)
            return
        respond(state, wish.case_id, workflow.now())
        made = f"V{state.version} over {state.commercial.total}"
        self._keep(asked, seen, then=f"makes {made}", accepted=patch.model_dump(mode="json", exclude_defaults=True))
        self._say.become(Status.DRAFTING, f"{made} is being assessed.")
        asked.answer = self._say.answer(f"makes {made}")

    async def _decline(self, asked: Asked[DecideChange]) -> None:
        wish = asked.wish
        respond(self._state, wish.case_id, workflow.now())
        await self._steps.take(step.DECLINE_CHANGE, lambda: self._requests.decline(wish.case_id, wish.note))
        resolve(self._state, wish.case_id, "declined", workflow.now(), asked.actor, wish.note)
        self._keep(asked)
        self._become(self._state.life())
        asked.answer = self._say.answer()

    def _keep(self, asked: Asked[DecideChange], seen: str = "", then: str = "", **more: Any) -> None:
        seen = seen or self._state.revision
        self._say.decided(asked, seen, asked.wish.note, then=then, case_id=asked.wish.case_id, **more)

    def _set_alarms(self) -> None:
        if self._state.followed_up_version < self._state.issued_version and self._state.life().status is Status.SENT:
            self._follow_up = Alarm(self._state.follow_up_at, "follow-up if not viewed")
        self._cases.set()

    def _stop_alarms(self) -> None:
        self._follow_up.stop()
        self._cases.stop()

    async def _ring(self) -> None:
        if self._follow_up.rang:
            self._follow_up.stop()
            await self._mail_follow_up()
        await self._cases.ring()

    async def _mail_follow_up(self) -> None:
        """Asks once per version whether the link arrived."""
        await self._steps.offer(step.SEND_MAIL, lambda: self._requests.mail("follow_up"), self._is_answered)
        self._state.followed_up_version = self._state.issued_version
