"""The fold: an invoice's state after issue is a function of the *set* of events, so order and repetition cannot matter.

Events are ordered by (event time, event id) and read once each. A field goes to its latest writer. A status never goes
back: an approval of the current version ends the fold's changes, a void ends them too, and what is dated later is
ignored with a reason. Nothing here has an effect; the workflow compares two folds and acts on the difference.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing.events import ChangeRequest, EventType, InvoiceEvent
from billing.ownership import RECIPIENT_FIELDS
from billing.record import Fate, Status


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

    `approved_at` is set if and only if the current version was approved; `fates` holds every event exactly once, with
    the reason where it was ignored.
    """

    version: int
    viewed_versions: frozenset[int] = frozenset()
    fields: dict[str, FieldValue] = field(default_factory=dict)
    cases: dict[str, OpenCase] = field(default_factory=dict)
    approved_at: datetime | None = None
    voided_at: datetime | None = None
    fates: dict[str, tuple[Fate, str]] = field(default_factory=dict)

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

    A version that only the API knows of (made there by hand, seen in a `sent` event) counts as current too.
    """
    once = {event.id: event for event in events}
    ordered = sorted(once.values(), key=lambda event: event.order)
    mine = [event for event in ordered if event.data.invoice_id == external_id]
    current = max([version, *(e.data.version for e in mine if e.type == EventType.SENT)])
    folding = _Folding(current, closed_cases)
    for event in ordered:
        if event.data.invoice_id == external_id:
            folding.read(event)
        else:
            folding.ignore(event, f"it speaks of another invoice, {event.data.invoice_id}")
    return folding.result()


class _Folding:
    """One pass over ordered events; mutable inside, a frozen Lifecycle outside."""

    def __init__(self, version: int, closed_cases: frozenset[str]) -> None:
        self._version = version
        self._closed_cases = closed_cases
        self._viewed: set[int] = set()
        self._fields: dict[str, FieldValue] = {}
        self._cases: dict[str, OpenCase] = {}
        self._approved_at: datetime | None = None
        self._voided_at: datetime | None = None
        self._fates: dict[str, tuple[Fate, str]] = {}

    def result(self) -> Lifecycle:
        return Lifecycle(
            version=self._version,
            viewed_versions=frozenset(self._viewed),
            fields=self._fields,
            cases={} if self._approved_at or self._voided_at else self._cases,
            approved_at=self._approved_at,
            voided_at=self._voided_at,
            fates=self._fates,
        )

    def ignore(self, event: InvoiceEvent, reason: str) -> None:
        self._fates[event.id] = (Fate.IGNORED, reason)

    def read(self, event: InvoiceEvent) -> None:
        match event.type:
            case EventType.SENT:
                self._apply(event)
            case EventType.VIEWED:
                self._viewed.add(event.data.version)
                self._apply(event)
            case EventType.PAID:
                self.ignore(event, "payments are not Billhook's to follow")
            case EventType.AMENDED | EventType.CHANGE_REQUESTED | EventType.APPROVED | EventType.VOIDED:
                self._change(event)
            case _:
                self.ignore(event, f"unknown type {event.type[:60]!r}")

    def _change(self, event: InvoiceEvent) -> None:
        if self._approved_at:
            self.ignore(event, "the invoice was approved before it; an approved version is locked")
        elif self._voided_at:
            self.ignore(event, "the invoice was voided before it")
        elif event.type == EventType.AMENDED:
            self._amend(event)
        elif event.type == EventType.CHANGE_REQUESTED:
            self._request(event)
        elif event.type == EventType.VOIDED:
            self._voided_at = event.created_at
            self._apply(event)
        else:
            self._approve(event)

    def _amend(self, event: InvoiceEvent) -> None:
        changes = {name: change for name, change in (event.data.changes or {}).items() if name in RECIPIENT_FIELDS}
        if not changes:
            self.ignore(event, "it changes no field that the recipient owns")
            return
        for name, change in changes.items():
            self._fields[name] = FieldValue(change.to, event.id, event.created_at)
        self._apply(event)

    def _request(self, event: InvoiceEvent) -> None:
        request = event.data.change_request
        if request is None:
            self.ignore(event, "it names no change request")
        elif event.data.version < self._version:
            self.ignore(event, f"it is about V{event.data.version}; V{self._version} is current")
        else:
            if request.id not in self._closed_cases:
                self._cases[request.id] = OpenCase(request, event.data.version, event.created_at)
            self._apply(event)

    def _approve(self, event: InvoiceEvent) -> None:
        if event.data.version != self._version:
            self.ignore(event, f"it approves V{event.data.version}; V{self._version} is current")
            return
        self._approved_at = event.created_at
        self._apply(event)

    def _apply(self, event: InvoiceEvent) -> None:
        self._fates[event.id] = (Fate.APPLIED, "")
