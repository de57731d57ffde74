"""What has reached a workflow and was not read yet. Handlers only append; the main loop alone reads and acts."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.decisions import Answer, Cancel, Decide, DecideChange, Retry
from billing.errors import BillhookError
from billing.events import InvoiceEvent

T = TypeVar("T")


def as_failure(error: BillhookError) -> ApplicationError:
    """A refusal as Temporal carries it: the slug is its type, field and next step are its details."""
    details = {"field": error.field, "next_step": error.next_step}
    return ApplicationError(error.detail, details, type=error.slug, non_retryable=True)


@dataclass
class Asked(Generic[T]):
    """One human's wish and, later, what came of it. `channel` says which way it came."""

    wish: T
    channel: str
    answer: Answer | None = None
    refusal: BillhookError | None = None

    async def wait(self) -> Answer:
        """The main loop's answer. Raises the refusal as the caller's update failure; the workflow goes on."""
        await workflow.wait_condition(lambda: self.answer is not None or self.refusal is not None)
        if self.refusal is not None:
            raise as_failure(self.refusal)
        if self.answer is None:  # pragma: no cover - the wait above excludes it
            raise ApplicationError("no answer", non_retryable=True)
        return self.answer


@dataclass
class Inbox:
    """One list per kind of arrival."""

    events: list[InvoiceEvent] = field(default_factory=list)
    decisions: list[Asked[Decide]] = field(default_factory=list)
    case_decisions: list[Asked[DecideChange]] = field(default_factory=list)
    retries: list[Asked[Retry]] = field(default_factory=list)
    cancels: list[Asked[Cancel]] = field(default_factory=list)

    def ask_decision(self, wish: Decide, channel: str) -> Asked[Decide]:
        asked = Asked(wish, channel)
        self.decisions.append(asked)
        return asked

    def ask_case(self, wish: DecideChange) -> Asked[DecideChange]:
        asked = Asked(wish, "api")
        self.case_decisions.append(asked)
        return asked

    def ask_retry(self, wish: Retry) -> Asked[Retry]:
        asked = Asked(wish, "api")
        self.retries.append(asked)
        return asked

    def ask_cancel(self, wish: Cancel) -> Asked[Cancel]:
        asked = Asked(wish, "api")
        self.cancels.append(asked)
        return asked

    def refuse_rest(self, refusal: BillhookError) -> None:
        """Answers whoever still waits when the invoice has ended."""
        waiting: list[Asked[Any]] = [*self.decisions, *self.case_decisions, *self.retries, *self.cancels]
        for asked in waiting:
            if asked.answer is None and asked.refusal is None:
                asked.refusal = refusal
