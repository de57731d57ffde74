"""What the workflow tells our records about an invoice: its present state, and what is new since it last told them.

Temporal holds what runs; our records hold what people read, also after Temporal dropped the history. The record is
small and cumulative where it must be (state), incremental where it grows (entries, decisions, fates), and every
incremental part has a stable number, so that writing it twice is writing it once.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from billing.decisions import Decision
from billing.intent import Commercial
from billing.models import Frozen
from billing.trail import TrailEntry


class Status(StrEnum):
    """The states of an invoice's life, in the words of the contract."""

    DRAFTING = "drafting"
    AWAITING_APPROVAL = "awaiting_approval"
    ISSUING = "issuing"
    SENT = "sent"
    VIEWED = "viewed"
    CHANGE_REQUESTED = "change_requested"
    APPROVED = "approved"
    BILLED = "billed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def is_end(self) -> bool:
        return self in {Status.BILLED, Status.REJECTED, Status.CANCELLED}


class Fate(StrEnum):
    """What became of an accepted event; none vanishes."""

    PENDING = "pending"
    DELIVERED = "delivered"
    APPLIED = "applied"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


class Entry(Frozen):
    """One line of the timeline; `number` counts from 1 within the invoice."""

    number: int
    at: datetime
    kind: str
    actor: str
    text: str


class EventFate(Frozen):
    event_id: str
    fate: Fate
    reason: str = ""


class Call(Frozen):
    """One call to an outside system that an answered step made: what a timeline and a dossier show of it.

    `step_key` is the Idempotency-Key it carried, empty for a read; `path` names no host. `replayed` if the other side
    said that it had answered this key before.
    """

    at: datetime
    system: str
    method: str
    path: str
    status: int
    step_key: str = ""
    replayed: bool = False


class CallEntry(Frozen):
    """A call with its place among all calls of the invoice, counted from 1, and the step that made it."""

    position: int
    step: str
    call: Call


class Content(Frozen):
    """The commercial content of one revision: told when it comes to be, and again when it is issued.

    The content that an invoice begins with is its intent's and need not be told; `commercial` is None then.
    """

    revision: str
    version: int
    total_minor: int
    made_at: datetime
    made_by: str
    commercial: Commercial | None = None
    issued_at: datetime | None = None


class CaseRecord(Frozen):
    """An open or closed change request. `message` and `proposed` are the recipient's untrusted words.

    `remind_at` is half of the business time until `deadline`, `warn_at` shortly before it. `first_response_at` is when
    one of us first acted on it, `resolved_at` when it was closed, by whomever. `in_part` if what was accepted is not
    all of what was proposed. `status` is open, accepted, declined, withdrawn or superseded.
    """

    id: str
    version: int
    opened_at: datetime
    deadline: datetime
    owner: str
    message: str
    proposed: dict[str, Any] | None = None
    status: str = "open"
    answer: str = ""
    remind_at: datetime | None = None
    warn_at: datetime | None = None
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    breached_at: datetime | None = None
    in_part: bool = False


class Placed(Frozen):
    """How many of each part our records are known to hold; the next one has the place after."""

    entries: int = 0
    decisions: int = 0
    trail: int = 0
    calls: int = 0


class InvoiceRecord(Frozen):
    """The state of one invoice as of `sequence`; a record with an older sequence never overwrites a newer one.

    `total_minor` in minor units of `currency`; `recipient` holds the recipient's own answers by field name, `carried`
    those of earlier invoices that the draft was sent with. `assignee` is whom an open approval is put to (empty:
    anyone who may approve), `decide_by` until when, `approved_by` who of two has said yes so far. What stands from
    `entries` on is news: what earlier records have not told yet. `after` is the sequence of the last one that is known
    to be told, with `placed`: anything newer that stands beside it was told by a workflow task that never was.
    """

    key: str
    sequence: int
    status: Status
    total_minor: int
    currency: str
    version: int
    revision: str
    external_id: str | None = None
    link: str | None = None
    due_date: date | None = None
    recipient: dict[str, Any] = Field(default_factory=dict)
    carried: dict[str, Any] = Field(default_factory=dict)
    available_actions: tuple[str, ...] = ()
    failed_step: str | None = None
    waiting_for: str = ""
    assignee: str = ""
    decide_by: datetime | None = None
    approved_by: tuple[str, ...] = ()
    cases: tuple[CaseRecord, ...] = ()
    entries: tuple[Entry, ...] = ()
    decisions: tuple[Decision, ...] = ()
    fates: tuple[EventFate, ...] = ()
    trail: tuple[TrailEntry, ...] = ()
    calls: tuple[CallEntry, ...] = ()
    contents: tuple[Content, ...] = ()
    after: int | None = None
    placed: Placed | None = None
