"""What a workflow may know of an activity: its name, what it takes and what it answers.

The implementations beside this file carry the same names; nothing here imports them, so workflow code loads no
connector, no database and no settings. Every request may carry the record of the state that it was scheduled in:
`activities/recording.py` saves it before the step is taken, which spares a billed action per state change.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from billing.assessment import Assessment
from billing.deadlines import Calendar
from billing.decisions import Action
from billing.intent import Commercial, Line, Motion
from billing.record import Call, Entry, EventFate, InvoiceRecord


class Request(BaseModel):
    """What every activity takes: whose step it is, and the news to record first."""

    model_config = ConfigDict(frozen=True)

    key: str
    record: InvoiceRecord | None = None


class Done(BaseModel):
    """What every activity answers. `calls` are those that it made to outside systems; activities/recording.py puts
    them there, so that no activity has to."""

    calls: tuple[Call, ...] = ()


class CreateDraft(Request):
    """`began_at` tells how old the step's Idempotency-Key may be at the provider."""

    customer_id: str
    scope: str
    commercial: Commercial
    began_at: datetime


class PatchDraft(Request):
    """`earlier` counts the patches that this draft had before: going back to an old content is a step of its own."""

    external_id: str
    earlier: int = 0
    customer_id: str
    scope: str
    commercial: Commercial
    revision: str


class Draft(Done):
    """A draft at the API. `carries` holds the recipient-owned fields of earlier invoices that a patch brings."""

    external_id: str
    total_minor: int
    due_date: date | None = None
    carries: dict[str, Any] = {}


class Assess(Request):
    """`at` is the workflow's own time, from which business hours count; `scope` a project, deal or subscription.

    `approved_by` said yes to this revision already: whoever made it by an edit. `agent` drafted this version, if any
    did; `agent_asks` if it wants this revision issued.
    """

    motion: Motion
    customer_id: str
    scope: str = ""
    commercial: Commercial
    revision: str
    at: datetime
    triggered_by: str = ""
    approved_by: tuple[str, ...] = ()
    agent: str = ""
    agent_asks: bool = False


class Authorize(Request):
    """May `actor` do this? Approving and rejecting are further bound: by the total of `commercial`, by who triggered
    it, and by who of two has approved this revision already."""

    actor: str
    action: Action
    commercial: Commercial
    triggered_by: str
    approved_by: tuple[str, ...] = ()


class Verdict(BaseModel):
    """An empty refusal: go on. `approvals_needed` different people must approve this total: one, or two (four eyes).

    `mail` is the actor's address, empty where the policy names none.
    """

    refusal: str = ""
    approvals_needed: int = 1
    mail: str = ""


class PutTo(Request):
    """Put an open approval to approver `to`, at the wish of `actor`; `at` is the workflow's own time.

    An empty `actor` is the policy: where `to` may not approve, it is put to `or_to`, or else to anyone who may.
    `approved_by` said yes to this revision already.
    """

    actor: str = ""
    to: str
    or_to: str = ""
    commercial: Commercial
    triggered_by: str
    approved_by: tuple[str, ...] = ()
    at: datetime


class Placed(BaseModel):
    """Whose the approval is now (empty: anyone who may approve), and when he is reminded and it is escalated, by his
    calendar; `reason` says in words why it is not the one who was asked for. Or a `refusal`: why it stays as it is."""

    refusal: str = ""
    reason: str = ""
    assignee: str = ""
    assignee_mail: str = ""
    calendar: Calendar = Calendar()
    remind_at: datetime | None = None
    escalate_at: datetime | None = None


class Issue(Request):
    external_id: str
    commercial: Commercial


class Revise(Request):
    external_id: str
    version: int
    commercial: Commercial
    change_request_id: str | None = None


class Issued(Done):
    version: int
    total_minor: int
    link: str | None = None
    due_date: date | None = None


class DeclineChange(Request):
    external_id: str
    change_request_id: str
    message: str


class SendMail(Request):
    """`kind` is `link` or `follow_up` to the recipient; activities/mail.py lists those to our own people (`to`).

    A kind of which there is more than one per version names what tells them apart, after a colon. `until` (aware UTC)
    is when it must be decided, shown in `zone`; `reasons` are ours, `message` is somebody's own words: the
    recipient's, or those of `actor`, who caused the mail.
    """

    kind: str
    version: int
    customer_id: str
    total_minor: int
    currency: str
    link: str | None = None
    due_date: date | None = None
    to: str = ""
    until: datetime | None = None
    zone: str = "UTC"
    reasons: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    message: str = ""
    actor: str = ""
    case_id: str = ""
    then: str = ""


class GivenField(BaseModel):
    """A recipient-owned field, who wrote it last and when."""

    value: Any = None
    at: datetime


class SyncFields(Request):
    """Recipient-owned fields to the CRM and to our customer record. `digest` names this set of values."""

    customer_id: str
    scope: str
    fields: dict[str, GivenField]
    digest: str


class ReadLocked(Request):
    external_id: str
    version: int
    commercial: Commercial


class Locked(Done):
    """The approved version, read back. `fields` are the recipient-owned fields as the API has them."""

    approved_at: datetime
    total_minor: int
    fields: dict[str, Any] = {}


class MarkBilled(Request):
    deal_id: str
    customer_id: str
    total_minor: int
    currency: str


class PostInvoice(Request):
    external_id: str
    customer_id: str
    motion: Motion
    total_minor: int
    currency: str
    approved_at: datetime
    lines: tuple[Line, ...]


class Withdraw(Request):
    """Discard the draft or void the issued invoice, whichever the API holds; `external_id` may not be known yet."""

    external_id: str | None
    reason: str


class Withdrawn(Done):
    """What was done, in words; `refused` if the API holds it locked."""

    text: str
    refused: bool = False


class StateLate(Request):
    """The last word on an event that came after the end of its invoice, its lines of the timeline, and the fields that
    the invoice shows from now on."""

    told: EventFate
    entries: tuple[Entry, ...] = ()
    recipient: dict[str, Any] = {}


class Nothing(Done):
    """The answer of a step whose effect is all there is to say."""


Q = TypeVar("Q", bound=Request)
A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True)
class Signature(Generic[Q, A]):
    """One activity's name and types. `words` say in the Temporal UI and in a failed step what it does."""

    name: str
    takes: type[Q]
    answers: type[A]
    words: str


CREATE_DRAFT: Final = Signature("create_draft", CreateDraft, Draft, "create the draft")
PATCH_DRAFT: Final = Signature("patch_draft", PatchDraft, Draft, "patch the draft")
ASSESS: Final = Signature("assess", Assess, Assessment, "assess by policy")
AUTHORIZE: Final = Signature("authorize", Authorize, Verdict, "check who decides")
PUT_TO: Final = Signature("put_to", PutTo, Placed, "put it to another approver")
ISSUE: Final = Signature("issue", Issue, Issued, "issue")
REVISE: Final = Signature("revise", Revise, Issued, "issue the next version")
DECLINE_CHANGE: Final = Signature("decline_change", DeclineChange, Nothing, "answer the change request")
SEND_MAIL: Final = Signature("send_mail", SendMail, Nothing, "send the mail")
SYNC_FIELDS: Final = Signature("sync_fields", SyncFields, Nothing, "sync amended fields to the CRM")
READ_LOCKED: Final = Signature("read_locked", ReadLocked, Locked, "read the approved version back")
MARK_BILLED: Final = Signature("mark_billed", MarkBilled, Nothing, "mark the deal billed")
POST_INVOICE: Final = Signature("post_invoice", PostInvoice, Nothing, "post to accounting")
WITHDRAW: Final = Signature("withdraw", Withdraw, Withdrawn, "withdraw at the invoicing API")
SAVE_RECORD: Final = Signature("save_record", Request, Nothing, "record the state")
STATE_LATE: Final = Signature("state_late", StateLate, Nothing, "record what became of the event")
