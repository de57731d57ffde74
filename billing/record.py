"""What the workflow tells our records about an invoice: its present state, and what is new since it last told them.

Temporal holds what runs; our records hold what people read, also after Temporal dropped the history. The record is
small and cumulative where it must be (state), incremental where it grows (entries, decisions, fates), and every
incremental part has a stable number, so that writing it twice is writing it once.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from billing.decisions import Decision


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


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Entry(_Frozen):
    """One line of the timeline; `number` counts from 1 within the invoice."""

    number: int
    at: datetime
    kind: str
    actor: str
    text: str


class EventFate(_Frozen):
    event_id: str
    fate: Fate
    reason: str = ""


class CaseRecord(_Frozen):
    """An open or closed change request. `message` and `proposed` are the recipient's untrusted words."""

    id: str
    version: int
    opened_at: datetime
    deadline: datetime
    owner: str
    message: str
    proposed: dict[str, Any] | None = None
    status: str = "open"
    answer: str = ""


class InvoiceRecord(_Frozen):
    """The state of one invoice as of `sequence`; a record with an older sequence never overwrites a newer one.

    `total_minor` in minor units of `currency`; `recipient` holds the recipient's own answers by field name, `carried`
    those of earlier invoices that the draft was sent with.
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
    recipient: dict[str, Any] = {}
    carried: dict[str, Any] = {}
    available_actions: tuple[str, ...] = ()
    failed_step: str | None = None
    waiting_for: str = ""
    cases: tuple[CaseRecord, ...] = ()
    entries: tuple[Entry, ...] = ()
    decisions: tuple[Decision, ...] = ()
    fates: tuple[EventFate, ...] = ()
