"""The fold: an invoice's state after issue is a function of the *set* of events, so order and repetition cannot matter.

Events count by when they happened at the API, (event time, event id), never by when they reached us, and once each. So
an amendment made before the approval counts even if it arrives after it; what is dated after the approval does not.

One event can end the fold. The API approves only the version that is current there and locks it for good, so an
approval of the version that we know, or of a newer one, is proof: it outweighs a void and a `sent` whatever their
dates, and no event that arrives later can take it back. Without an approval the first void ends the fold. Nothing here
has an effect; the workflow compares two folds and acts on the difference.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from billing.events import ChangeRequest, EventType, InvoiceEvent
from billing.ownership import RECIPIENT_FIELDS, fits
from billing.record import Fate, Status

_STALE_APPROVAL: Final = "it approves"
# What the reason begins with when an approval of a version that is not current is ignored; the timeline shows it.

RECIPIENT: Final = "recipient"
INVOICING_API: Final = "invoicing API"
# Who ended an invoice, where no person of ours did.


def stale_words(event: InvoiceEvent, fate: Fate, reason: str) -> str:
    """What the timeline says of an approval of a version that is not current; empty for any other event."""
    is_stale = event.type == EventType.APPROVED and fate is Fate.IGNORED and reason.startswith(_STALE_APPROVAL)
    return f"{event.words} ignored: {reason}" if is_stale else ""


@dataclass(frozen=True)
class FieldValue:
    """What a recipient gave, and the event that gave it last."""

    value: Any
    event_id: str
    at: datetime


@dataclass(frozen=True)
class OpenCase:
    """A change request that no one has answered."""

    request: ChangeRequest
    version: int
    at: datetime


@dataclass(frozen=True)
class Lifecycle:
    """The folded state.

    `approved_at` is set if and only if the current version was approved; `withdrawn` holds the cases that the end left
    without an answer; `fates` holds every event exactly once, with the reason where it was ignored.
    """

    version: int
    viewed_versions: frozenset[int] = frozenset()
    fields: dict[str, FieldValue] = field(default_factory=dict)
    cases: dict[str, OpenCase] = field(default_factory=dict)
    withdrawn: dict[str, OpenCase] = field(default_factory=dict)
    approved_at: datetime | None = None
    voided_at: datetime | None = None
    fates: dict[str, tuple[Fate, str]] = field(default_factory=dict)

    @property
    def ended_at(self) -> datetime | None:
        """When the recipient approved or the API voided, if either did."""
        return self.approved_at or self.voided_at

    @property
    def ended_by(self) -> str:
        """Whose act that was; empty while the invoice lives."""
        if self.approved_at:
            return RECIPIENT
        return INVOICING_API if self.voided_at else ""

    @property
    def status(self) -> Status:
        """The state that events alone give to an issued invoice."""
        if self.approved_at:
            return Status.APPROVED
        if self.voided_at:
            return Status.CANCELLED
        if self.cases:
            return Status.CHANGE_REQUESTED
        return Status.VIEWED if self.version in self.viewed_versions else Status.SENT


def fold(
    events: Iterable[InvoiceEvent], *, version: int, external_id: str, closed_cases: frozenset[str] = frozenset()
) -> Lifecycle:
    """The state after `events`, given the version that we issued last and the cases that we have answered.

    A version that only the API knows of (made there by hand, seen in a `sent` or `approved` event) counts as current
    too. Events of one id are one event; intake keeps their content the same.
    """
    ordered = sorted({event.id: event for event in events}.values(), key=lambda event: event.order)
    mine = [event for event in ordered if event.data.invoice_id == external_id]
    folding = _Folding(mine, version, closed_cases)
    for event in ordered:
        if event.data.invoice_id == external_id:
            folding.read(event)
        else:
            folding.ignore(event, f"it speaks of another invoice, {event.data.invoice_id}")
    return folding.result()


def _approval(mine: list[InvoiceEvent], version: int) -> InvoiceEvent | None:
    """The earliest approval of the newest version approved, unless that is older than `version`."""
    approvals = [event for event in mine if event.type == EventType.APPROVED and event.data.version >= version]
    return min(approvals, key=lambda event: (-event.data.version, event.order), default=None)


def _first_void(mine: list[InvoiceEvent]) -> InvoiceEvent | None:
    return next((event for event in mine if event.type == EventType.VOIDED), None)


def _current(mine: list[InvoiceEvent], version: int) -> int:
    return max([version, *(event.data.version for event in mine if event.type == EventType.SENT)])


class _Folding:
    """One pass over ordered events whose end is known; mutable inside, a frozen Lifecycle outside."""

    def __init__(self, mine: list[InvoiceEvent], version: int, closed_cases: frozenset[str]) -> None:
        self._approval = _approval(mine, version)
        self._end = self._approval or _first_void(mine)
        self._version = self._approval.data.version if self._approval else _current(mine, version)
        self._closed_cases = closed_cases
        self._viewed: set[int] = set()
        self._fields: dict[str, FieldValue] = {}
        self._cases: dict[str, OpenCase] = {}
        self._fates: dict[str, tuple[Fate, str]] = {}

    def result(self) -> Lifecycle:
        ended_at = self._end.created_at if self._end else None
        return Lifecycle(
            version=self._version,
            viewed_versions=frozenset(self._viewed),
            fields=self._fields,
            cases={} if self._end else self._cases,
            withdrawn=self._cases if self._end else {},
            approved_at=ended_at if self._approval else None,
            voided_at=None if self._approval else ended_at,
            fates=self._fates,
        )

    def ignore(self, event: InvoiceEvent, reason: str) -> None:
        self._fates[event.id] = (Fate.IGNORED, reason)

    def read(self, event: InvoiceEvent) -> None:
        match event.type:
            case EventType.VIEWED:
                self._viewed.add(event.data.version)
                self._apply(event)
            case EventType.SENT:
                self._sent(event)
            case EventType.APPROVED | EventType.VOIDED:
                self._end_or_ignore(event)
            case EventType.AMENDED:
                self._unless_over(event, self._amend)
            case EventType.CHANGE_REQUESTED:
                self._unless_over(event, self._request)
            case EventType.PAID:
                self.ignore(event, "payments are not Billhook's to follow")
            case _:
                self.ignore(event, f"unknown type {event.type[:60]!r}")

    def _sent(self, event: InvoiceEvent) -> None:
        if event.data.version > self._version:
            self.ignore(event, f"V{self._version} is approved and locked; V{event.data.version} cannot follow it")
        else:
            self._apply(event)

    def _end_or_ignore(self, event: InvoiceEvent) -> None:
        if event is self._end:
            self._apply(event)
        elif event.type == EventType.APPROVED and event.data.version != self._version:
            self.ignore(event, f"{_STALE_APPROVAL} V{event.data.version}; V{self._version} is current")
        elif self._approval:
            self.ignore(event, f"V{self._version} is approved already, and an approved version is locked")
        else:
            self.ignore(event, "the invoice was voided before it")

    def _unless_over(self, event: InvoiceEvent, count: Callable[[InvoiceEvent], None]) -> None:
        """What happened in the very microsecond of the end counts: the API takes nothing after it."""
        if self._end is None or event.created_at <= self._end.created_at:
            count(event)
        elif self._approval:
            self.ignore(event, "the invoice was approved before it; an approved version is locked")
        else:
            self.ignore(event, "the invoice was voided before it")

    def _amend(self, event: InvoiceEvent) -> None:
        """Also of an older version: these fields are the recipient's, and a new version leaves them as they are."""
        given = event.data.changes or {}
        owned = {name: change for name, change in given.items() if name in RECIPIENT_FIELDS}
        changes = {name: change for name, change in owned.items() if fits(name, change.to)}
        unfit = ", ".join(sorted(owned.keys() - changes.keys()))
        if not changes:
            no = f"its values are none that these fields can have: {unfit}" if unfit else ""
            self.ignore(event, no or "it changes no field that the recipient owns")
            return
        for name, change in changes.items():
            self._fields[name] = FieldValue(change.to, event.id, event.created_at)
        others = ", ".join(sorted(given.keys() - owned.keys()))
        left = [f"left out, no value that it can have: {unfit}"] if unfit else []
        left += [f"left out, not the recipient's to change: {others[:200]}"] if others else []
        self._apply(event, "; ".join(left))

    def _request(self, event: InvoiceEvent) -> None:
        request = event.data.change_request
        if request is None:
            self.ignore(event, "it names no change request")
        elif request.id in self._closed_cases:
            # First of all: our answer may have made the version that the request now looks too old for.
            self._apply(event)
        elif event.data.version < self._version:
            self.ignore(event, f"it is about V{event.data.version}; V{self._version} is current")
        elif request.id in self._cases:
            self.ignore(event, f"it repeats change request {request.id[:60]}")
        else:
            self._cases[request.id] = OpenCase(request, event.data.version, event.created_at)
            self._apply(event)

    def _apply(self, event: InvoiceEvent, reason: str = "") -> None:
        self._fates[event.id] = (Fate.APPLIED, reason)
