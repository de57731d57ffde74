"""What one invoice's workflow knows: plain data that survives continue-as-new and says by itself what is done."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from activities.signatures import GivenField
from billing.actions import available_actions
from billing.agents import OF_AGENTS
from billing.assessment import Assessment, Expiry
from billing.deadlines import Calendar
from billing.decisions import Answer
from billing.events import InvoiceEvent
from billing.intent import Commercial, Intent, Patch
from billing.lifecycle import Lifecycle, fold, stale_words
from billing.record import CaseRecord, Content, EventFate, InvoiceRecord, Status
from billing.trail import genesis
from workflows.news import News


class OpenApproval(BaseModel):
    """Whom a revision is put to and by when; `rung` names what was done of it, so that it is done once.

    `assignee` may be empty: anyone who may approve. Times are aware UTC; None: the policy sets none.
    """

    revision: str
    assignee: str = ""
    assignee_mail: str = ""
    calendar: Calendar = Calendar()
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    expire_at: datetime | None = None
    expiry: Expiry = Expiry.DISCARD
    delegations: int = 0
    rung: list[str] = []

    @classmethod
    def of(cls, revision: str, assessment: Assessment) -> "OpenApproval":
        return cls(
            revision=revision,
            assignee=assessment.assignee,
            assignee_mail=assessment.assignee_mail,
            calendar=assessment.assignee_calendar,
            remind_at=assessment.remind_at,
            escalate_at=assessment.escalate_at,
            expire_at=assessment.expire_at,
            expiry=assessment.expiry,
        )


class Parked(BaseModel):
    """A step was refused for good: the status before, and what is waited for in words."""

    before: Status
    words: str


class InvoiceState(BaseModel):
    """Mutable inside the workflow; every step asks it whether it is still to be taken, so all can be re-entered."""

    key: str
    commercial: Commercial
    began_at: datetime
    began_by: str = ""
    agent: str = ""
    # Who drafted it, where that is an agent.
    news: News
    status: Status = Status.DRAFTING
    waiting_for: str = ""
    failed_step: str | None = None
    parked: Parked | None = None
    refusal: str = ""
    is_attended: bool = False
    # A person has answered: what follows is not to wait behind a run.

    version: int = 1
    external_id: str | None = None
    link: str | None = None
    due_date: date | None = None
    carries: dict[str, Any] = {}
    patched_revision: str = ""
    patches: int = 0

    assessed_revision: str = ""
    assessment: Assessment | None = None
    approval: OpenApproval | None = None
    approved_by: tuple[str, ...] = ()
    approved_revision: str = ""
    asked_revision: str = ""
    proposals_answered: dict[str, Answer | None] = {}
    # What an agent asks to be issued, and what it was answered to each of its calls; None: not yet.

    issued_version: int = 0
    issued_commercial: Commercial | None = None
    delivered_version: int = 0
    follow_up_at: datetime | None = None
    followed_up_version: int = 0
    answering_case: str | None = None
    answered_by: str = ""

    events: list[InvoiceEvent] = []
    synced: dict[str, str] = {}
    read_back: dict[str, Any] = {}
    cases: dict[str, CaseRecord] = {}
    case_rung: dict[str, list[str]] = {}
    case_mails: dict[str, str] = {}
    approved_at: datetime | None = None

    @classmethod
    def of(cls, intent: Intent, now: datetime) -> "InvoiceState":
        news = News(head=genesis(intent.key, intent.payload_hash))
        by = intent.source.triggered_by
        agent = by if intent.source.by_agent else ""
        if agent:
            first = intent.commercial
            news.append(now, "drafted", agent, {"revision": first.revision(1), "total_minor": first.total.minor})
        return cls(key=intent.key, commercial=intent.commercial, began_at=now, began_by=by, agent=agent, news=news)

    @property
    def revision(self) -> str:
        return self.commercial.revision(self.version)

    @property
    def drafting_agent(self) -> str:
        """The agent that drafted the present version, if one did: later ones are made by people's answers."""
        return self.agent if self.version == 1 else ""

    def ask_anew(self) -> None:
        """The agent asks for the present revision: the policy says what comes of that, as if it were new."""
        self.asked_revision = self.revision
        self._assess_anew()

    def _assess_anew(self) -> None:
        self.assessed_revision, self.approval = "", None

    @property
    def waits_for_agents_alone(self) -> bool:
        """Whether all that stands against issuing it is about the agent that drafted it."""
        reasons = self.assessment.reasons if self.assessment else ()
        return bool(reasons) and all(reason.rule in OF_AGENTS for reason in reasons)

    @property
    def is_settled(self) -> bool:
        """Whether the policy has said what it says of the present revision, or cannot before a person acts."""
        if self.status is Status.NEEDS_ATTENTION or self.status.is_end:
            return True
        return self.assessed_revision == self.revision and self.status is not Status.DRAFTING

    @property
    def still_missing(self) -> str:
        """What stands between the present revision and its issue, in words for an agent."""
        if self.is_cleared:
            return "it goes out"
        reasons = self.assessment.reasons if self.assessment else ()
        return " ".join(["a person decides.", *(reason.text for reason in reasons)])

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
        """The present revision may be issued: by policy alone, or by decisions on exactly this revision."""
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

    def edit(self, patch: Patch | None, at: datetime, by: str) -> bool:
        """A person's edit; whether it made a new revision. What the API already holds must then be patched.

        Raises BadInput.
        """
        seen = self.revision
        if not self._becomes(self.commercial.patched(patch), self.version, at, by):
            return False
        if self.external_id is not None:
            self.patched_revision = self.patched_revision or seen
        return True

    def begin_next_version(self, patch: Patch, case_id: str, at: datetime, by: str) -> None:
        """What an accepted request makes of the content; it is assessed, decided and issued like the first, also where
        an earlier request wanted the same and our approver said no.

        Raises BadInput.
        """
        self._becomes(self.commercial.patched(patch), self.issued_version + 1, at, by)
        self._assess_anew()
        self.answering_case, self.answered_by = case_id, by

    def back_to_issued(self) -> None:
        """The next version does not come to be: the one that the recipient has stands."""
        self.version, self.commercial = self.issued_version, self.issued_commercial or self.commercial
        self.answering_case, self.approved_by = None, ()

    def _becomes(self, commercial: Commercial, version: int, at: datetime, by: str) -> bool:
        """Other content wants everybody's yes anew."""
        seen = self.revision
        self.commercial, self.version = commercial, version
        if self.revision == seen:
            return False
        self.approved_by = ()
        self.news.holds(self._content(made_at=at, made_by=by, commercial=commercial))
        return True

    def was_issued(self, version: int, at: datetime) -> None:
        """The API holds the present content as `version`. Its first content is the intent's and was told with it."""
        self.issued_version = self.version = version
        self.issued_commercial = self.commercial
        self.news.holds(self._content(made_at=self.began_at, made_by=self.began_by, issued_at=at))

    def _content(self, **values: Any) -> Content:
        total = self.commercial.total.minor
        return Content(revision=self.revision, version=self.version, total_minor=total, **values)

    def hear(self, events: Iterable[InvoiceEvent]) -> list[InvoiceEvent]:
        """Those that are not known yet; a line of the timeline for each, at the time at which it happened."""
        known = {event.id for event in self.events}
        new = list({event.id: event for event in events if event.id not in known}.values())
        for event in new:
            self.events.append(event)
            self.news.note(event.created_at, "event", event.who, event.words)
        return new

    def note_fates(self, life: Lifecycle, at: datetime) -> None:
        """What became of each event, where that is new; an approval of another version is told in words."""
        for event in self.events:
            fate, reason = life.fates[event.id]
            known = self.news.known_fates.get(event.id)
            self.news.befell(EventFate(event_id=event.id, fate=fate, reason=reason))
            is_new = known is None or known.fate is not fate
            if is_new and (words := stale_words(event, fate, reason)):
                self.news.note(at, "ignored", "billhook", words)

    def record(self) -> InvoiceRecord:
        """The present state, with whatever has not been told yet."""
        put = self.approval if self.status is Status.AWAITING_APPROVAL else None
        return InvoiceRecord(
            key=self.key,
            sequence=self.news.sequence,
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
            assignee=put.assignee if put else "",
            decide_by=put.expire_at if put else None,
            approved_by=self.approved_by,
            cases=tuple(self.cases.values()),
            **self.news.untold(),
        )

    def given_fields(self) -> dict[str, GivenField]:
        """What the recipient gave on this invoice, latest writer per field."""
        if not self.external_id:
            return {}
        return {name: GivenField(value=field.value, at=field.at) for name, field in self.life().fields.items()}


class InvoiceStart(BaseModel):
    """The workflow's one argument. `state` is set only when it continues as new."""

    model_config = ConfigDict(frozen=True)

    intent: Intent
    state: InvoiceState | None = None
