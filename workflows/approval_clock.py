"""The times of an open approval: whoever is to decide is told, reminded and replaced, and the wait ends in its time."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from temporalio import workflow

from activities import signatures as step
from billing.assessment import Expiry
from billing.decisions import Delegate
from workflows.alarm import Alarm
from workflows.inbox import Asked
from workflows.requests import Requests
from workflows.state import InvoiceState, OpenApproval
from workflows.steps import Steps

_REMINDER: Final = "reminder"
_ESCALATION: Final = "escalation"
_EXPIRY: Final = "expiry"


class ApprovalClock:
    """One timer for what comes next. `is_answered` says that somebody acted: no mail is sent then. `show` tells what
    stands before anybody is mailed."""

    def __init__(
        self,
        state: InvoiceState,
        steps: Steps,
        requests: Requests,
        is_answered: Callable[[], bool],
        show: Callable[[], None],
    ) -> None:
        self._state = state
        self._steps = steps
        self._say = steps.say
        self._records = steps.records
        self._requests = requests
        self._is_answered = is_answered
        self._show = show
        self._alarm = Alarm(None, "")

    @property
    def rang(self) -> bool:
        return self._alarm.rang

    def stop(self) -> None:
        self._alarm.stop()

    def set(self) -> None:
        """The timer of the next time that was not yet kept."""
        self._alarm.stop()
        times = self._times()
        self._alarm = Alarm(times[0][0], f"approval {times[0][1]}") if times else Alarm(None, "")

    async def ring(self) -> bool:
        """Keeps the next time; whether the wait is over with it."""
        put, name = self._put, self._times()[0][1]
        put.rung.append(name)
        # First of all: a mail that takes too long gives way to what comes next.
        self.set()
        if name == _EXPIRY:
            return await self._expire(put)
        await (self._escalate(put) if name == _ESCALATION else self._remind(put))
        return False

    async def tell(self) -> None:
        """It begins to wait for somebody."""
        put = self._put
        await self._mail(f"approval:{put.revision}:{put.assignee}", put.assignee_mail)

    async def delegated(self, asked: Asked[Delegate], placed: step.Placed) -> None:
        """Another person put it to him, and tells him why."""
        put = self._put
        put.delegations += 1
        self._hand_on(placed)
        kind = f"delegated:{put.revision}:{put.delegations}"
        await self._mail(kind, put.assignee_mail, actor=asked.actor, message=asked.wish.note)

    async def second_wanted(self) -> None:
        """Where whom it was put to has said yes, or may not any more: the second yes is another's to say."""
        put = self._put
        if put.assignee:
            placed = await self._place(put.assignee, self._escalate_to)
            if placed.reason:
                self._say.note("assigned", "policy", placed.reason)
        await self.tell()

    @property
    def _put(self) -> OpenApproval:
        put = self._state.approval
        if put is None:  # pragma: no cover - a wait begins with one
            raise AssertionError("nothing waits for an approval")
        return put

    def _times(self) -> list[tuple[datetime, str]]:
        put = self._put
        named = [(put.remind_at, _REMINDER), (put.escalate_at, _ESCALATION), (put.expire_at, _EXPIRY)]
        return sorted((at, name) for at, name in named if at is not None and name not in put.rung)

    async def _remind(self, put: OpenApproval) -> None:
        self._say.note(_REMINDER, "billhook", "reminder: still waits for a decision")
        await self._mail(f"{_REMINDER}:{put.revision}:{put.assignee}", put.assignee_mail)

    async def _escalate(self, put: OpenApproval) -> None:
        """Who does not answer is replaced."""
        words = await self._replace(put)
        self._say.note(_ESCALATION, "billhook", f"escalation: still waits for a decision{words}")
        await self._mail(f"{_ESCALATION}:{put.revision}:{put.assignee}", put.assignee_mail)

    async def _expire(self, put: OpenApproval) -> bool:
        kept = put.expiry is Expiry.KEEP
        words = "nobody decided in time; it waits on" if kept else "nobody decided in time"
        if kept and _ESCALATION not in put.rung:
            put.rung.append(_ESCALATION)
            self.set()
            words += await self._replace(put)
        self._say.note(_EXPIRY, "policy", words)
        self._say.keep("expired", "policy", expiry=put.expiry.value, note=words)
        if not kept:
            return True
        await self._mail(f"{_EXPIRY}:{put.revision}", put.assignee_mail)
        return False

    async def _replace(self, put: OpenApproval) -> str:
        """By whom it is escalated to. Whoever has it keeps it where that one may not. In words, what became of it."""
        before = put.assignee
        placed = await self._place(self._escalate_to, before, _ESCALATION)
        self._say.keep("escalated", "policy", before=before, to=put.assignee)
        words = placed.reason or (f"put to {put.assignee}" if put.assignee not in {before, ""} else "")
        return f"; {words}" if words else ""

    async def _place(self, to: str, or_to: str, *kept: str) -> step.Placed:
        """With the first of these who may approve, or with anyone. It stays as it stands with whom it is already."""
        placed = await self._records.ask(step.PUT_TO, self._requests.put_to(to, workflow.now(), or_to=or_to))
        if placed.assignee != self._put.assignee:
            self._hand_on(placed, *kept)
        return placed

    def _hand_on(self, placed: step.Placed, *kept: str) -> None:
        """Another's calendar counts from now on; when the wait ends, and what of it was `kept`, stays as it was."""
        put = self._put
        put.assignee, put.assignee_mail, put.calendar = placed.assignee, placed.assignee_mail, placed.calendar
        put.remind_at, put.escalate_at = placed.remind_at, placed.escalate_at
        put.rung = [name for name in put.rung if name in {_EXPIRY, *kept}]
        self.set()

    @property
    def _escalate_to(self) -> str:
        return self._state.assessment.escalate_to if self._state.assessment else ""

    async def _mail(self, kind: str, to: str, *, actor: str = "", message: str = "") -> None:
        """To nobody where the policy knows no address; not at all where somebody acted meanwhile."""
        self._show()
        if to and not self._is_answered():
            build = lambda: self._requests.approval_mail(kind, to, actor=actor, message=message)  # noqa: E731
            await self._steps.offer(step.SEND_MAIL, build, lambda: self._is_answered() or self.rang)
