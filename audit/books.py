"""Everything that is known of one invoice, side by side: our records, its history, the journal, the API, its mails."""

from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from typing import Any

from audit.histories import History
from audit.journal import Entry, Journal
from audit.truth import Remote, Truth
from billing.events import InvoiceEvent
from billing.intent import Intent
from billing.record import Status
from records.tables import (
    AssessmentRow,
    CaseRow,
    DealRow,
    DecisionRow,
    EntryRow,
    EventRow,
    IntentRow,
    InvoiceRow,
    MailRow,
)


@dataclass
class World:
    """What is not of one invoice alone. None: that source was not reachable."""

    as_of: datetime
    truth: Truth | None = None
    journal: Journal | None = None
    sink: dict[str, list[Message]] | None = None
    chains: dict[str, set[str]] | None = None
    has_engine: bool = False
    late_running: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    external_ids: dict[str, str] = field(default_factory=dict)
    event_ids: set[str] = field(default_factory=set)
    message_ids: set[str] = field(default_factory=set)


@dataclass
class Book:
    """One invoice. `row` is None until its workflow told a first record."""

    registered: IntentRow
    row: InvoiceRow | None = None
    assessments: list[AssessmentRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    cases: list[CaseRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    mails: list[MailRow] = field(default_factory=list)
    deals: list[DealRow] = field(default_factory=list)
    history: History | None = None
    remotes: list[Remote] = field(default_factory=list)
    postings: list[Entry] = field(default_factory=list)
    is_settled: bool = False
    """Ended, and nothing of it changed since the first source was read: what does not agree now never will."""

    @property
    def key(self) -> str:
        return self.registered.key

    @property
    def status(self) -> Status:
        return Status(self.row.status) if self.row else Status.DRAFTING

    @property
    def intent(self) -> Intent:
        return Intent.model_validate_json(self.registered.payload)

    @property
    def remote(self) -> Remote | None:
        """The API's invoice that our record names."""
        if self.row is None or self.row.external_id is None:
            return None
        return next((one for one in self.remotes if one.raw["id"] == self.row.external_id), None)

    @property
    def abandoned(self) -> EntryRow | None:
        """The timeline's line of a person who closed an approved invoice without billing it."""
        return next((entry for entry in self.entries if entry.kind == "abandoned"), None)


def parsed(row: EventRow) -> InvoiceEvent | None:
    """The event as it came; None where its bytes cannot be read (the I5 check says so)."""
    try:
        return InvoiceEvent.model_validate_json(row.raw)
    except ValueError:
        return None


def shown(value: Any) -> str:
    """A value inside a sentence of evidence."""
    return "nothing" if value in (None, "", []) else str(value)
