"""What we hold of one invoice, gathered for a comparison with what the invoicing API says of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from billing.events import InvoiceEvent
from billing.lifecycle import Lifecycle, fold
from billing.money import Money
from billing.record import Fate, Status


@dataclass(frozen=True)
class HeldEvent:
    """An event of our table with what became of it; `age` since we stored it, `is_stated` if the workflow said so."""

    event: InvoiceEvent
    fate: Fate
    reason: str = ""
    age: timedelta = timedelta(days=1)
    is_stated: bool = True

    @property
    def is_unsettled(self) -> bool:
        """On its way: nobody has said yet what it means."""
        return self.fate is Fate.PENDING or (self.fate is Fate.DELIVERED and not self.is_stated)


@dataclass(frozen=True)
class Held:
    """`known` are the recipient-owned fields that we know of: sent along with the draft, or told by the recipient.

    `cases` maps the change requests that we know to their status here; `age` is since the record last changed,
    `since` when the intent was registered; `closed_unbilled` if a person closed it after the approval, knowingly.
    """

    key: str
    status: Status
    version: int
    total: Money
    since: datetime
    external_id: str | None = None
    age: timedelta = timedelta(days=1)
    issued: bool = False
    failed_step: str | None = None
    closed_unbilled: bool = False
    known: dict[str, Any] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    events: tuple[HeldEvent, ...] = ()

    @property
    def is_out(self) -> bool:
        """Its present version is at the recipient, or was."""
        return self.status in {Status.SENT, Status.VIEWED, Status.CHANGE_REQUESTED, Status.APPROVED, Status.BILLED}

    def moved_within(self, grace: timedelta) -> bool:
        """Something of it is under way this moment: the record was just written, or an event was just stored."""
        fresh = any(one.is_unsettled and one.age < grace for one in self.events)
        return fresh or self.age < grace

    def life(self, external_id: str, version: int) -> Lifecycle:
        """The stored events folded, as the workflow will; one that was quarantined never reached it."""
        closed = frozenset(case for case, status in self.cases.items() if status in {"accepted", "declined"})
        told = [one.event for one in self.events if one.fate is not Fate.QUARANTINED]
        return fold(told, version=version, external_id=external_id, closed_cases=closed)

    def stored(self, event_id: str) -> HeldEvent | None:
        return next((one for one in self.events if one.event.id == event_id), None)
