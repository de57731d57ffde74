"""What has reached a workflow and was not read yet. Handlers append; the main loop alone reads and acts."""

from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.decisions import Action, Answer, Cancel, Decide, DecideChange, Delegate, Propose, Retry
from billing.errors import BillhookError
from billing.events import InvoiceEvent
from workflows.failures import as_failure
from workflows.interruptions import Stopped

T = TypeVar("T")
BY_SIGNAL: Final = "temporal"
BY_UPDATE: Final = "api"


@dataclass
class Asked(Generic[T]):
    """One human's wish and, later, what came of it. `channel` says which way it came, `mail` is its actor's address,
    `sent` what was sent where that could not be read."""

    action: Action
    actor: str
    wish: T
    channel: str
    answer: Answer | None = None
    refusal: BillhookError | None = None
    mail: str = ""
    sent: dict[str, str] = field(default_factory=dict)

    async def wait(self) -> None:
        """Until the main loop has answered."""
        await workflow.wait_condition(lambda: self.answer is not None or self.refusal is not None)

    def result(self) -> Answer:
        """What came of it. Raises the refusal as the caller's update failure; the workflow goes on."""
        if self.refusal is not None:
            raise as_failure(self.refusal)
        if self.answer is None:  # pragma: no cover - the wait above excludes it
            raise ApplicationError("no answer", non_retryable=True)
        return self.answer


@dataclass
class Inbox:
    """One list per kind of arrival."""

    events: list[InvoiceEvent] = field(default_factory=list)
    approvals: list[Asked[Any]] = field(default_factory=list)
    # Decide, Delegate and Propose in the order in which they came: each may change what the next one means.
    case_decisions: list[Asked[DecideChange]] = field(default_factory=list)
    retries: list[Asked[Retry]] = field(default_factory=list)
    cancels: list[Asked[Cancel]] = field(default_factory=list)

    def put(self, asked: Asked[Any]) -> None:
        """Where the main loop will find it."""
        lists: dict[type, list[Any]] = {
            Decide: self.approvals,
            Delegate: self.approvals,
            Propose: self.approvals,
            DecideChange: self.case_decisions,
            Retry: self.retries,
            Cancel: self.cancels,
        }
        lists[type(asked.wish)].append(asked)

    def waiting(self) -> list[Asked[Any]]:
        """Whoever was not answered yet."""
        everybody: list[Asked[Any]] = [*self.approvals, *self.case_decisions, *self.retries, *self.cancels]
        return [asked for asked in everybody if asked.answer is None and asked.refusal is None]

    def check_stop(self) -> None:
        """Raises Stopped if a person asked to cancel; called wherever the invoice rests."""
        if self.cancels:
            wish = self.cancels[0].wish
            raise Stopped(wish.actor, wish.reason)
