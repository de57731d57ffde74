"""Events that arrive after an invoice's end: judged by the same fold over the whole set, as if they had come in time.

So an amendment that was made before the approval counts whenever we hear of it, and nothing that comes late can undo
an end: what the fold would have opened or ended stays as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing.assessment import Assessment
from billing.cases import open_case, resolved
from billing.events import EventType, InvoiceEvent
from billing.lifecycle import FieldValue, Lifecycle, OpenCase, fold, stale_words
from billing.ownership import filled
from billing.record import CaseRecord, Entry, Fate, Status
from billing.told import PAST_CHANGE


@dataclass(frozen=True)
class Ended:
    """What we hold of an invoice whose workflow has ended. `recipient` holds what was given on it, by field."""

    status: Status
    version: int
    external_id: str
    closed_cases: frozenset[str]
    recipient: Mapping[str, Any]


@dataclass(frozen=True)
class Late:
    """What becomes of a late event: `fields` are those that it is the latest to have given, `case` one that it tells of
    and that the end, `ended_by` somebody at `ended_at`, has withdrawn."""

    fate: Fate
    reason: str
    fields: dict[str, FieldValue] = field(default_factory=dict)
    case: OpenCase | None = None
    ended_at: datetime | None = None
    ended_by: str = ""

    def withdrawn_case(self, assessment: Assessment) -> CaseRecord | None:
        """The case as it would stand had its request come in time; None where the event tells of none."""
        if self.case is None or self.ended_at is None:
            return None
        opened = open_case(self.case.request.id, self.case, assessment)
        return resolved(opened, "withdrawn", self.ended_at, self.ended_by)


def judge_late(event: InvoiceEvent, known: Iterable[InvoiceEvent], ended: Ended) -> Late:
    """`event` reached us after the end, and after all of `known`."""
    life = fold([*known, event], version=ended.version, external_id=ended.external_id, closed_cases=ended.closed_cases)
    fate, reason = life.fates[event.id]
    if fate is not Fate.APPLIED:
        return Late(fate, reason)
    if event.type == EventType.APPROVED and ended.status is not Status.BILLED:
        words = f"V{event.data.version} was approved at the invoicing API, and the invoice is {ended.status} here"
        return Late(Fate.QUARANTINED, f"{words}: a person must look")
    asked = event.data.change_request
    if asked is not None and asked.id in life.cases:
        return Late(Fate.IGNORED, f"the invoice is {ended.status}; {PAST_CHANGE}")
    case = life.withdrawn.get(asked.id) if asked is not None else None
    return Late(fate, reason, _given(event, life, ended), case, life.ended_at, life.ended_by)


def late_words(event: InvoiceEvent, status: Status) -> str:
    """For the timeline."""
    return f"{event.words} came late, when the invoice was {status} already"


def late_entries(event: InvoiceEvent, late: Late, status: Status, now: datetime) -> tuple[Entry, ...]:
    """The event as one that comes in time has it, and that it came late, with the fields that are synced."""
    synced = f": {', '.join(sorted(late.fields))} to the CRM and the customer record" if late.fields else ""
    lines = (
        Entry(number=0, at=event.created_at, kind="event", actor=event.who, text=event.words),
        Entry(number=0, at=now, kind="late", actor="billhook", text=late_words(event, status) + synced),
    )
    stale = stale_words(event, late.fate, late.reason)
    return (*lines, Entry(number=0, at=now, kind="ignored", actor="billhook", text=stale)) if stale else lines


def _given(event: InvoiceEvent, life: Lifecycle, ended: Ended) -> dict[str, FieldValue]:
    """A billed invoice was read back when it was locked: a value that is not the locked one was not the last."""
    latest = {name: value for name, value in life.fields.items() if value.event_id == event.id}
    if ended.status is not Status.BILLED:
        return latest
    return {name: value for name, value in latest.items() if filled(value.value) == filled(ended.recipient.get(name))}
