"""What one invoice's workflow knows: plain data that survives continue-as-new and says by itself what is done."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from activities.signatures import GivenField
from billing.actions import available_actions
from billing.assessment import Assessment
from billing.decisions import Decision
from billing.events import InvoiceEvent
from billing.intent import Commercial, Intent, Patch
from billing.lifecycle import Lifecycle, fold
from billing.record import CaseRecord, Entry, EventFate, InvoiceRecord, Status


class InvoiceState(BaseModel):
    """Mutable inside the workflow; every step asks it whether it is still to be taken, so all can be re-entered."""

    key: str
    commercial: Commercial
    began_at: datetime
    status: Status = Status.DRAFTING
    waiting_for: str = ""
    failed_step: str | None = None

    version: int = 1
    external_id: str | None = None
    link: str | None = None
    due_date: date | None = None
    carries: dict[str, Any] = {}
    patched_revision: str = ""
    patches: int = 0

    assessed_revision: str = ""
    assessment: Assessment | None = None
    approved_revision: str = ""

    issued_version: int = 0
    issued_commercial: Commercial | None = None
    delivered_version: int = 0
    follow_up_at: datetime | None = None
    followed_up_version: int = 0
    answering_case: str | None = None

    events: list[InvoiceEvent] = []
    synced: dict[str, str] = {}
    read_back: dict[str, Any] = {}
    cases: dict[str, CaseRecord] = {}
    approved_at: datetime | None = None

    told: int = 0
    sequence: int = 1
    entry_count: int = 0
    entries: list[Entry] = []
    decisions: list[Decision] = []
    fates: list[EventFate] = []
    known_fates: dict[str, EventFate] = {}

    @classmethod
    def of(cls, intent: Intent, now: datetime) -> "InvoiceState":
        return cls(key=intent.key, commercial=intent.commercial, began_at=now)

    @property
    def revision(self) -> str:
        return self.commercial.revision(self.version)

    @property
    def is_issued(self) -> bool:
        return self.issued_version == self.version

    @property
    def wants_patch(self) -> bool:
        """A create carries lines and terms; everything else, and every edit, goes by patch."""
        if self.is_issued or self.version > 1 or self.patched_revision == self.revision:
            return False
        edited = self.patched_revision != ""
        return bool(edited or self.carries or self.commercial.discount or self.commercial.due_date)

    @property
    def is_cleared(self) -> bool:
        """The present revision may be issued: by policy alone, or by a decision on exactly this revision."""
        if self.approved_revision == self.revision:
            return True
        return self.assessed_revision == self.revision and self.assessment is not None and self.assessment.automatic

    @property
    def open_cases(self) -> list[CaseRecord]:
        return [case for case in self.cases.values() if case.status == "open"]

    def life(self) -> Lifecycle:
        """The events folded, against the version that the API holds."""
        closed = frozenset(case.id for case in self.cases.values() if case.status in {"accepted", "declined"})
        return fold(self.events, version=self.issued_version, external_id=self.external_id or "", closed_cases=closed)

    def edit(self, patch: Patch | None) -> None:
        """A person's edit. A draft that the API already holds must then be patched. Raises BadInput."""
        seen, self.commercial = self.revision, self.commercial.patched(patch)
        if self.external_id is not None and self.revision != seen:
            self.patched_revision = self.patched_revision or seen

    def note(self, at: datetime, kind: str, actor: str, text: str) -> None:
        """One line for the timeline."""
        self.entry_count += 1
        self.sequence += 1
        self.entries.append(Entry(number=self.entry_count, at=at, kind=kind, actor=actor, text=text))

    def hear(self, events: Iterable[InvoiceEvent]) -> list[InvoiceEvent]:
        """Those that are not known yet; a line of the timeline for each, at the time at which it happened."""
        known = {event.id for event in self.events}
        new = list({event.id: event for event in events if event.id not in known}.values())
        for event in new:
            self.events.append(event)
            self.note(event.created_at, "event", event.who, event.words)
        return new

    def note_fates(self, life: Lifecycle) -> None:
        """What became of each event, where that is new."""
        for event_id, (fate, reason) in life.fates.items():
            found = EventFate(event_id=event_id, fate=fate, reason=reason)
            if self.known_fates.get(event_id) != found:
                self.known_fates[event_id] = found
                self.fates.append(found)
                self.sequence += 1

    def record(self) -> InvoiceRecord:
        """The present state, with whatever has not been told yet."""
        return InvoiceRecord(
            key=self.key,
            sequence=self.sequence,
            status=self.status,
            total_minor=self.commercial.total.minor,
            currency=self.commercial.currency,
            version=self.version,
            revision=self.revision,
            external_id=self.external_id,
            link=self.link,
            due_date=self.due_date or self.commercial.due_date,
            # What was read back is locked; whatever an event told of the same field came before it.
            recipient={**{name: given.value for name, given in self.given_fields().items()}, **self.read_back},
            carried=self.carries,
            available_actions=tuple(available_actions(self.status, approved=self.approved_at is not None)),
            failed_step=self.failed_step,
            waiting_for=self.waiting_for,
            cases=tuple(self.cases.values()),
            entries=tuple(self.entries),
            decisions=tuple(self.decisions),
            fates=tuple(self.fates),
        )

    def given_fields(self) -> dict[str, GivenField]:
        """What the recipient gave on this invoice, latest writer per field."""
        if not self.external_id:
            return {}
        return {name: GivenField(value=field.value, at=field.at) for name, field in self.life().fields.items()}

    def mark_told(self, record: InvoiceRecord) -> None:
        """Our records hold `record`: its news need not be told again."""
        self.told = max(self.told, record.sequence)
        self.entries = self.entries[len(record.entries) :]
        self.decisions = self.decisions[len(record.decisions) :]
        self.fates = self.fates[len(record.fates) :]


class InvoiceStart(BaseModel):
    """The workflow's one argument. `state` is set only when it continues as new."""

    model_config = ConfigDict(frozen=True)

    intent: Intent
    state: InvoiceState | None = None
