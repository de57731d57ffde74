"""How an invoice ends: taken back at the API where somebody cancels it, and in any case with everybody answered and
everything that still came in read and recorded."""

from temporalio import workflow

from activities import signatures as step
from billing.decisions import Action
from billing.errors import NotPossible
from billing.late import late_words
from billing.record import InvoiceRecord
from workflows.amendments import Amendments
from workflows.cases import withdraw_cases
from workflows.inbox import Inbox
from workflows.interruptions import Stopped
from workflows.overtaken import read_events
from workflows.requests import Requests
from workflows.state import InvoiceState
from workflows.steps import Steps


class Ending:
    """One for each invoice."""

    def __init__(
        self, state: InvoiceState, inbox: Inbox, steps: Steps, requests: Requests, amendments: Amendments
    ) -> None:
        self._state = state
        self._inbox = inbox
        self._steps = steps
        self._say = steps.say
        self._records = steps.records
        self._requests = requests
        self._amendments = amendments

    async def withdrawn(self, stop: Stopped) -> bool:
        """Ends the invoice at the API too, unless it ended there first. False: an approval came before, and stands."""
        if self._state.approved_at:
            self._say.note("abandoned", stop.actor, f"closed without billing: {stop.reason}")
        done = step.Withdrawn(text="") if stop.at_api else await self._take_back(stop)
        if done.refused:
            self._say.note("refused", "billhook", f"cannot cancel: it is {done.text}")
            for asked in self._inbox.cancels:
                self._say.refuse(asked, NotPossible(asked.action.value, done.text))
            self._inbox.cancels.clear()
            self._state.failed_step = None
            return False
        for asked in self._inbox.cancels:
            if asked.action is Action.CANCEL:
                self._say.decided(asked, self._state.revision, asked.wish.reason)
        # A void that we only hear of happened when the API says, however late its event reached us.
        ended_at = self._state.life().voided_at if stop.at_api else None
        withdraw_cases(self._state, ended_at or workflow.now(), stop.actor)
        self._say.become(stop.status)
        return True

    async def _take_back(self, stop: Stopped) -> step.Withdrawn:
        done = await self._steps.take(step.WITHDRAW, lambda: self._requests.withdraw(stop.reason), stoppable=False)
        self._say.note("withdrawn", stop.actor, f"{done.text}: {stop.reason}")
        return done

    async def close(self) -> InvoiceRecord:
        """Answers whoever still waits, reads what came in late, records the end."""
        for asked in self._inbox.cancels:
            asked.answer = self._say.answer()
        await self._read_late()
        while self._is_unfinished():
            for asked in self._inbox.waiting():
                self._say.refuse(asked, NotPossible(asked.action.value, self._state.status.value))
            await self._records.tell()
            await self._read_late()
            await workflow.wait_condition(workflow.all_handlers_finished)
        return self._state.record()

    def _is_unfinished(self) -> bool:
        inbox = self._inbox
        return bool(self._records.has_news or inbox.events or inbox.waiting() or not workflow.all_handlers_finished())

    async def _read_late(self) -> None:
        """What comes after the end changes no status; what a recipient gave before it still reaches the CRM."""
        for event in self._state.hear(self._inbox.events):
            self._say.note("late", "billhook", late_words(event, self._state.status))
        life = read_events(self._state, self._inbox)
        withdraw_cases(self._state, life.ended_at or workflow.now(), life.ended_by or "billhook")
        if self._state.issued_version:
            await self._amendments.settle(life)
