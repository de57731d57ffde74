"""The times of open change requests: the owner is told, reminded and warned; a breach is recorded and escalated.

The request that a next version is being made for was answered; if the answer comes too late is said when it stands.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from temporalio import workflow

from activities import signatures as step
from billing.record import CaseRecord
from workflows.alarm import Alarm
from workflows.requests import Requests
from workflows.state import InvoiceState
from workflows.steps import Steps

_TOLD: Final = "case"
_REMINDER: Final = "case_reminder"
_WARNING: Final = "case_warning"
_BREACH: Final = "case_breach"
_Due = tuple[datetime, str, CaseRecord]


class CaseClock:
    """One timer for whatever comes next of all cases. `is_answered` says that somebody acted: no mail is sent then."""

    def __init__(self, state: InvoiceState, steps: Steps, requests: Requests, is_answered: Callable[[], bool]) -> None:
        self._state = state
        self._steps = steps
        self._say = steps.say
        self._requests = requests
        self._is_answered = is_answered
        self._alarm = Alarm(None, "")

    @property
    def rang(self) -> bool:
        return self._alarm.rang or bool(self._due())

    def stop(self) -> None:
        self._alarm.stop()

    def set(self) -> None:
        """The timer of the next time; one that runs for it already goes on."""
        coming = [due for due in self._times() if due[0] > workflow.now()]
        at, name = (coming[0][0], coming[0][1]) if coming else (None, _TOLD)
        if at != self._alarm.at or self._alarm.rang:
            self._alarm.stop()
            self._alarm = Alarm(at, name.replace("case_", "change request "))

    async def ring(self) -> None:
        """Whatever is due. Who hears of a case only now is not reminded of it in the same breath."""
        for case in {case.id: case for _, _, case in self._due()}.values():
            names = [name for _, name, due in self._due() if due.id == case.id]
            self._state.case_rung.setdefault(case.id, []).extend(names)
            if _BREACH in names:
                self._breached(case)
            told = [_TOLD] if _TOLD in names else names[-1:]
            for name in [*told, *({_BREACH} & set(names) - set(told))]:
                await self._tell(name, case)
        self.set()

    def _due(self) -> list[_Due]:
        # A timer may ring a microsecond before the time that it was set for.
        until = max(workflow.now(), self._alarm.at) if self._alarm.rang and self._alarm.at else workflow.now()
        return [due for due in self._times() if due[0] <= until]

    def _times(self) -> list[_Due]:
        """What was not yet done of the cases that nobody has answered, in the order of time."""
        return sorted(
            ((at, name, case) for case in self._state.open_cases for at, name in self._of(case)),
            key=lambda due: due[0],
        )

    def _of(self, case: CaseRecord) -> list[tuple[datetime, str]]:
        if case.id == self._state.answering_case:
            return []
        rung = self._state.case_rung.get(case.id, [])
        named = (
            (case.opened_at, _TOLD),
            (case.remind_at, _REMINDER),
            (case.warn_at, _WARNING),
            (case.deadline, _BREACH),
        )
        return [(at, name) for at, name in named if at is not None and name not in rung]

    def _breached(self, case: CaseRecord) -> None:
        self._state.cases[case.id] = case.model_copy(update={"breached_at": case.deadline})
        self._say.note("breach", "billhook", f"case {case.id} passed its deadline; {case.owner} has not answered it")

    async def _tell(self, name: str, case: CaseRecord) -> None:
        if name == _REMINDER:
            self._say.note("reminder", "billhook", f"case {case.id}: half of the time to answer it is over")
        elif name == _WARNING:
            self._say.note("warning", "billhook", f"case {case.id} must be answered soon")
        to = self._whom(name, case)
        if to and not self._is_answered():
            await self._steps.offer(step.SEND_MAIL, lambda: self._requests.case_mail(name, to, case), self._is_answered)

    def _whom(self, name: str, case: CaseRecord) -> str:
        assessment = self._state.assessment
        if assessment is None:
            return ""
        owner = self._state.case_mails.get(case.id, assessment.case_owner_mail)
        return (assessment.case_escalate_mail or owner) if name == _BREACH else owner
