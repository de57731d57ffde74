"""The tables of our records: what people read, audit and are answered from after Temporal has dropped a history.

No table holds an invoice number or a PDF; those stay at the invoicing API, and a test reads this schema for both.
The shape is changed by a migration in records/migrations, and a test compares the two.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Index, LargeBinary, Text, false, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Utc(TypeDecorator[datetime]):
    """An aware time, stored in UTC; SQLite forgets zones, so it is given back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Raises ValueError on a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Customer(SQLModel, table=True):
    """Whom we bill; the fields that are ours."""

    __tablename__ = "customers"

    id: str = Field(primary_key=True, max_length=100)
    name: str
    email: str
    segment: str = Field(max_length=20)
    currency: str = Field(max_length=3)
    crm_ref: str | None = None
    created_at: datetime = Field(sa_type=Utc)
    updated_at: datetime = Field(sa_type=Utc)


class RecipientField(SQLModel, table=True):
    """What a customer's recipient gave last, per scope (a project, deal or subscription) and, with scope '', at all."""

    __tablename__ = "recipient_fields"

    customer_id: str = Field(primary_key=True, foreign_key="customers.id", max_length=100)
    scope: str = Field(primary_key=True, max_length=200)
    field: str = Field(primary_key=True, max_length=50)
    value: Any = Field(default=None, sa_type=JSON)
    at: datetime = Field(sa_type=Utc)


class CrmField(SQLModel, table=True):
    """A customer's field in the built-in CRM, and the step that wrote it."""

    __tablename__ = "crm_fields"

    customer_id: str = Field(primary_key=True, foreign_key="customers.id", max_length=100)
    field: str = Field(primary_key=True, max_length=50)
    value: Any = Field(default=None, sa_type=JSON)
    step_key: str


class IntentRow(SQLModel, table=True):
    """What we mean to bill. `payload` is the intent as JSON text; `started_at` is empty until its workflow runs.

    `scope` names the project, deal or subscription that it comes from.
    """

    __tablename__ = "intents"
    __table_args__ = (
        Index(
            "ix_intents_unstarted",
            "created_at",
            sqlite_where=text("started_at IS NULL"),
            postgresql_where=text("started_at IS NULL"),
        ),
        Index("ix_intents_created", "created_at", "key"),
        Index("ix_intents_customer", "customer_id", "created_at"),
        Index("ix_intents_scope", "scope", "motion", "created_at"),
    )

    key: str = Field(primary_key=True, max_length=400)
    motion: str = Field(max_length=20)
    customer_id: str = Field(foreign_key="customers.id", max_length=100)
    scope: str = Field(default="", max_length=200, sa_column_kwargs={"server_default": ""})
    payload_hash: str = Field(max_length=64)
    payload: str = Field(sa_type=Text)
    currency: str = Field(max_length=3)
    total_minor: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=Utc)
    started_at: datetime | None = Field(default=None, sa_type=Utc)


class InvoiceRow(SQLModel, table=True):
    """The state of one invoice as of `sequence`. `issued` stays true once the invoice was sent.

    `seen_in` is the run of reconciliation that last saw it in the API's list. While a person must decide, `assignee` is
    whom it is put to, `decide_by` until when, `approved_by` who of two has said yes.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        Index("ix_invoices_status", "status", "decide_by", "key"),
        Index("ix_invoices_external_id", "external_id"),
    )

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    sequence: int = Field(sa_type=BigInteger)
    status: str = Field(max_length=30)
    total_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    version: int
    revision: str = Field(max_length=64)
    external_id: str | None = None
    link: str | None = Field(default=None, sa_type=Text)
    due_date: date | None = None
    recipient: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    carried: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, sa_column_kwargs={"server_default": "{}"})
    available_actions: list[str] = Field(default_factory=list, sa_type=JSON)
    failed_step: str | None = None
    waiting_for: str = Field(default="", sa_type=Text)
    assignee: str = Field(default="", max_length=100, sa_column_kwargs={"server_default": ""})
    decide_by: datetime | None = Field(default=None, sa_type=Utc)
    approved_by: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs={"server_default": "[]"})
    issued: bool = False
    seen_in: str | None = Field(default=None, max_length=100)
    updated_at: datetime = Field(sa_type=Utc)


class AssessmentRow(SQLModel, table=True):
    """The policy's answer for one revision, with its inputs."""

    __tablename__ = "assessments"

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    revision: str = Field(primary_key=True, max_length=64)
    body: dict[str, Any] = Field(sa_type=JSON)
    assessed_at: datetime = Field(sa_type=Utc)


class EntryRow(SQLModel, table=True):
    """One line of an invoice's timeline."""

    __tablename__ = "entries"

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    position: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Utc)
    kind: str = Field(max_length=50)
    actor: str
    text: str = Field(sa_type=Text)


class DecisionRow(SQLModel, table=True):
    """A human's answer. `position` counts from 1 within the invoice, so that writing it twice is writing it once."""

    __tablename__ = "decisions"

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    position: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Utc)
    action: str = Field(max_length=40)
    actor: str
    revision: str = Field(max_length=64)
    result_revision: str = Field(max_length=64)
    note: str = Field(sa_type=Text)
    channel: str = Field(max_length=40)


class CaseRow(SQLModel, table=True):
    """A change request, open or closed. `message` and `proposed` are the recipient's untrusted words."""

    __tablename__ = "cases"
    __table_args__ = (Index("ix_cases_status", "status", "deadline"),)

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    id: str = Field(primary_key=True, max_length=200)
    sequence: int = Field(sa_type=BigInteger)
    version: int
    opened_at: datetime = Field(sa_type=Utc)
    deadline: datetime = Field(sa_type=Utc)
    owner: str
    message: str = Field(sa_type=Text)
    proposed: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    status: str = Field(max_length=20)
    answer: str = Field(sa_type=Text)
    remind_at: datetime | None = Field(default=None, sa_type=Utc)
    warn_at: datetime | None = Field(default=None, sa_type=Utc)
    first_response_at: datetime | None = Field(default=None, sa_type=Utc)
    resolved_at: datetime | None = Field(default=None, sa_type=Utc)
    resolved_by: str = Field(default="", max_length=100, sa_column_kwargs={"server_default": ""})
    breached_at: datetime | None = Field(default=None, sa_type=Utc)
    in_part: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class TrailRow(SQLModel, table=True):
    """One entry of an invoice's audit trail, chained to the one before it; see billing/trail.py."""

    __tablename__ = "trail"

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    position: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Utc)
    kind: str = Field(max_length=50)
    actor: str
    body: dict[str, Any] = Field(sa_type=JSON)
    prev: str = Field(max_length=64)
    hash: str = Field(max_length=64)


class CallRow(SQLModel, table=True):
    """One call to an outside system that an answered step made."""

    __tablename__ = "calls"

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    position: int = Field(primary_key=True)
    step: str = Field(max_length=50)
    at: datetime = Field(sa_type=Utc)
    system: str = Field(max_length=40)
    method: str = Field(max_length=10)
    path: str = Field(sa_type=Text)
    status: int
    step_key: str = Field(max_length=255)
    replayed: bool


class ContentRow(SQLModel, table=True):
    """The commercial content of one revision; `commercial` is empty where it is the intent's own."""

    __tablename__ = "contents"

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    revision: str = Field(primary_key=True, max_length=64)
    version: int
    total_minor: int = Field(sa_type=BigInteger)
    made_at: datetime = Field(sa_type=Utc)
    made_by: str
    commercial: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    issued_at: datetime | None = Field(default=None, sa_type=Utc)


class EventRow(SQLModel, table=True):
    """An accepted event with its raw body. `stated_by` is the sequence of the record that stated its fate, if any.

    Events of one `lane` are delivered one after another: its reference, or the invoice's id where it names none.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(
            "ix_events_lanes",
            "lane",
            "created_at",
            "received_at",
            "id",
            "source",
            "next_attempt_at",
            "fate",  # SQLite reads the row itself where this is left out
            sqlite_where=text("fate = 'pending'"),
            postgresql_where=text("fate = 'pending'"),
        ),
        Index("ix_events_received", "received_at", "id"),
        Index("ix_events_invoice", "invoice_id"),
    )

    id: str = Field(primary_key=True, max_length=200)
    source: str = Field(primary_key=True, max_length=40)
    type: str = Field(max_length=100)
    invoice_id: str = Field(max_length=200)
    reference: str | None = Field(default=None, max_length=500)
    lane: str = Field(default="", max_length=500, sa_column_kwargs={"server_default": ""})
    created_at: datetime = Field(sa_type=Utc)
    received_at: datetime = Field(sa_type=Utc)
    raw: bytes = Field(sa_type=LargeBinary)
    fate: str = Field(max_length=20)
    reason: str = Field(default="", sa_type=Text)
    attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=Utc)
    stated_by: int | None = Field(default=None, sa_type=BigInteger)


class MailRow(SQLModel, table=True):
    """One mail per invoice, version and kind."""

    __tablename__ = "mails"

    key: str = Field(primary_key=True, foreign_key="intents.key", max_length=400)
    version: int = Field(primary_key=True)
    kind: str = Field(primary_key=True, max_length=200)
    step_key: str
    addressee: str
    claimed_at: datetime = Field(sa_type=Utc)
    sent_at: datetime | None = Field(default=None, sa_type=Utc)


class DealRow(SQLModel, table=True):
    """What the built-in CRM knows as billed: one row per deal and invoice, since a deal may be billed in parts."""

    __tablename__ = "deals"

    id: str = Field(primary_key=True, max_length=100)
    key: str = Field(primary_key=True, max_length=400)
    customer_id: str = Field(foreign_key="customers.id", max_length=100)
    total_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    billed_at: datetime = Field(sa_type=Utc)


class Token(SQLModel, table=True):
    """A bearer token; only the hash of it. A name may be used again after it was revoked.

    After `expires_at` it opens nothing. `limits` (minor units per currency) and `customers` bound an agent's.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        Index(
            "ix_tokens_live_name",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    sha256: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=100)
    scopes: list[str] = Field(sa_type=JSON)
    limits: dict[str, int] = Field(default_factory=dict, sa_type=JSON, sa_column_kwargs={"server_default": "{}"})
    customers: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs={"server_default": "[]"})
    created_at: datetime = Field(sa_type=Utc)
    expires_at: datetime | None = Field(default=None, sa_type=Utc)
    last_used_at: datetime | None = Field(default=None, sa_type=Utc)
    revoked_at: datetime | None = Field(default=None, sa_type=Utc)
