"""The examples as data: customers, triggers, and what the people in them do."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import starter

LEFT: Final = "leave"
"""What the played approver does with an invoice that is left to whoever looks at the demo."""
EXAMPLES: Final = Path(starter.__file__).parent.parent / "examples"


class Does(StrEnum):
    """What a recipient does with the link: nothing, look, or look and approve."""

    NONE = "none"
    VIEW = "view"
    APPROVE = "approve"


@dataclass(frozen=True)
class Example:
    """One trigger, sent `times` times; `amends` are the form fields that its recipient fills in.

    `asks` is what he sends first to have the content changed, and `answer` what our person says to it; without one the
    change request stays open.
    """

    motion: str
    body: dict[str, Any]
    times: int
    approver: str
    does: Does
    amends: dict[str, str] = field(default_factory=dict)
    asks: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def expected(self) -> str:
        """The status in which it comes to rest, when a human rejects it only where the example says so."""
        if self.approver == "reject":
            return "rejected"
        if self.is_left:
            return "change_requested" if self.asks else "awaiting_approval"
        return {Does.NONE: "sent", Does.VIEW: "viewed", Does.APPROVE: "billed"}[self.does]

    @property
    def is_left(self) -> bool:
        """Whether it waits for a person at the end."""
        return self.approver == LEFT or bool(self.asks and not self.answer)

    def is_at_rest(self, invoice: dict[str, Any]) -> bool:
        """Whether nobody who is played does anything more with it. On a data directory that is played on again somebody
        may have taken up what was left."""
        answered = any(case["status"] != "open" for case in invoice["cases"])
        taken_up = self.is_left and (answered or not self.asks)
        status = invoice["status"]
        return status == self.expected or (taken_up and status in {"sent", "viewed", "rejected", "billed"})

    @property
    def version(self) -> int:
        """The version that it comes to rest in."""
        return 2 if self.answer.get("action") == "accept" else 1


def customers() -> list[dict[str, Any]]:
    """Customer bodies, each with its `id`."""
    found: list[dict[str, Any]] = json.loads((EXAMPLES / "customers.json").read_text())
    return found


def month() -> list[Example]:
    """Every example, in the order it happened."""
    return [
        Example(
            one["motion"], one["body"] | _due(one), one["times"], one["approver"],
            Does(one["recipient"]["does"]), one["recipient"]["amends"], one["recipient"].get("asks", {}),
            one.get("answer", {}),
        )
        for one in json.loads((EXAMPLES / "month.json").read_text())
    ]  # fmt: skip


def _due(one: dict[str, Any]) -> dict[str, str]:
    """A due date so many days from today: one that is written down is over some day, and then refused."""
    days = one.get("due_in_days")
    return {} if days is None else {"due_date": f"{datetime.now(UTC).date() + timedelta(days=days)}"}
