"""The examples as data: customers, triggers, and what the people in them do."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import starter

EXAMPLES: Final = Path(starter.__file__).parent.parent / "examples"


class Does(StrEnum):
    """What a recipient does with the link: nothing, look, or look and approve."""

    NONE = "none"
    VIEW = "view"
    APPROVE = "approve"


@dataclass(frozen=True)
class Example:
    """One trigger, sent `times` times; `amends` are the form fields that its recipient fills in.

    `asks` is what he sends first to have the content changed, and `answer` what our person says to it.
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
        return {Does.NONE: "sent", Does.VIEW: "viewed", Does.APPROVE: "billed"}[self.does]

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
