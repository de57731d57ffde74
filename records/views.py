"""An invoice as people and programs read it over HTTP, CLI and MCP; assembled from our tables, never from Temporal."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import RowMapping, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.comparison import Comparison
from billing.intent import Intent
from billing.money import Money
from billing.ownership import RECIPIENT_FIELDS
from billing.record import Status
from billing.untrusted import ShownJson, ShownLine, ShownText
from records.contents import ContentView, VersionView, present, versions_of
from records.sql import table
from records.tables import (
    AssessmentRow,
    CallRow,
    CaseRow,
    ContentRow,
    Customer,
    DecisionRow,
    EntryRow,
    IntentRow,
    InvoiceRow,
    MailRow,
)
from records.timeline import EntryView, timeline

_N, _I, _A, _C = table(IntentRow), table(InvoiceRow), table(AssessmentRow), table(Customer)
_E, _D, _K, _M = table(EntryRow), table(DecisionRow), table(CaseRow), table(MailRow)
_O, _W = table(CallRow), table(ContentRow)


class RecipientView(BaseModel):
    """What the recipient gave; empty fields were not given."""

    po_number: ShownLine | None = None
    billing_entity: ShownLine | None = None
    address: ShownJson = None
    ap_contact: ShownJson = None
    tax_id: ShownLine | None = None


class ReasonView(BaseModel):
    rule: str
    text: str


class AssessmentView(BaseModel):
    automatic: bool
    policy_hash: str
    reasons: list[ReasonView] = []
    revision: str


class DecisionView(BaseModel):
    at: datetime
    action: str
    actor: str
    revision: str
    result_revision: str
    note: str
    channel: str


class CaseView(BaseModel):
    """A change request; `message` and `proposed` are untrusted text of the recipient's, made fit to be shown.

    `comparison` is there where one invoice or one case is read, and where anything is proposed.
    """

    id: str
    version: int
    opened_at: datetime
    deadline: datetime
    owner: str
    message: ShownText
    proposed: ShownJson
    status: str
    answer: ShownText
    remind_at: datetime | None = None
    warn_at: datetime | None = None
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    breached_at: datetime | None = None
    in_part: bool = False
    comparison: Comparison | None = None


class InvoiceView(BaseModel):
    """One invoice. `total` is a decimal string in major units, `total_minor` the same in minor units of `currency`.

    While a person must decide, `assignee` is whom it is put to (empty: anyone who may approve), `decide_by` until when,
    `approved_by` who of two has said yes. `content` is that of the present revision; `versions` are all there were.
    `agent` drafted it; empty where a person or a program did.
    """

    key: str
    motion: str
    customer_id: str
    customer_name: str
    status: Status
    currency: str
    total: str
    total_minor: int
    version: int
    revision: str
    external_id: str | None
    link: str | None
    due_date: date | None
    recipient: RecipientView
    assessment: AssessmentView | None
    decisions: list[DecisionView]
    cases: list[CaseView]
    timeline: list[EntryView]
    available_actions: list[str]
    failed_step: str | None
    waiting_for: ShownText
    assignee: str
    decide_by: datetime | None
    approved_by: list[str]
    content: ContentView | None
    versions: list[VersionView]
    agent: str = ""
    workflow_id: str
    created_at: datetime


class Page(BaseModel):
    """One page of a list; `next_cursor` is empty on the last."""

    data: list[InvoiceView]
    next_cursor: str | None = None


_MADE: Final = frozenset({"recipient", "available_actions", "approved_by"})
STATUS: Final = func.coalesce(_I.c.status, Status.DRAFTING.value)
# A registered intent reads as an invoice before its workflow wrote a first record.


def head_query() -> Select[Any]:
    """One row per intent, with its invoice's state where there is one."""
    return select(
        _N.c.key,
        _N.c.motion,
        _N.c.customer_id,
        _C.c.name.label("customer_name"),
        _N.c.created_at,
        _N.c.payload,
        STATUS.label("status"),
        func.coalesce(_I.c.currency, _N.c.currency).label("currency"),
        func.coalesce(_I.c.total_minor, _N.c.total_minor).label("total_minor"),
        func.coalesce(_I.c.version, 1).label("version"),
        func.coalesce(_I.c.revision, "").label("revision"),
        *(_I.c[name] for name in ("external_id", "link", "due_date", "recipient", "available_actions")),
        _I.c.failed_step,
        case((_I.c.key.is_(None), "its workflow to start"), else_=_I.c.waiting_for).label("waiting_for"),
        func.coalesce(_I.c.assignee, "").label("assignee"),
        _I.c.decide_by,
        _I.c.approved_by,
    ).select_from(_N.join(_C).outerjoin(_I))


async def assemble(s: AsyncSession, heads: Sequence[RowMapping]) -> list[InvoiceView]:
    """Whole views of the rows that `head_query` gave, in their order; seven statements however many rows."""
    keys = [row["key"] for row in heads]
    if not keys:
        return []
    assessments = await _assessments(s, heads, keys)
    decisions = await _by_key(s, select(_D).where(_D.c.key.in_(keys)).order_by(_D.c.position))
    cases = await _by_key(s, select(_K).where(_K.c.key.in_(keys)).order_by(_K.c.opened_at, _K.c.id))
    entries = await _by_key(s, select(_E).where(_E.c.key.in_(keys)).order_by(_E.c.position))
    sent = select(_M).where(_M.c.key.in_(keys), _M.c.sent_at.is_not(None))
    mails = await _by_key(s, sent.order_by(_M.c.version, _M.c.kind))
    calls = await _by_key(s, select(_O).where(_O.c.key.in_(keys)).order_by(_O.c.position))
    contents = await _by_key(s, select(_W).where(_W.c.key.in_(keys)))
    views = []
    for row in heads:
        key, intent = row["key"], Intent.model_validate_json(row["payload"])
        parts = {
            "assessment": assessments.get(key),
            "decisions": [DecisionView.model_validate(dict(found)) for found in decisions[key]],
            "cases": [CaseView.model_validate(dict(found)) for found in cases[key]],
            "timeline": timeline(intent, row["created_at"], entries[key], mails[key], calls[key]),
            "versions": versions_of(intent, row["created_at"], contents[key]),
            "agent": intent.source.triggered_by if intent.source.by_agent else "",
        }
        views.append(_view(row, parts))
    return views


def _view(row: RowMapping, parts: dict[str, Any]) -> InvoiceView:
    recipient = row["recipient"] or {}
    return InvoiceView(
        **{name: row[name] for name in row if name in InvoiceView.model_fields and name not in _MADE},
        total=f"{Money(minor=row['total_minor'], currency=row['currency']).major:f}",
        recipient=RecipientView(**{name: recipient.get(name) for name in RECIPIENT_FIELDS}),
        available_actions=list(row["available_actions"] or ()),
        approved_by=list(row["approved_by"] or ()),
        content=present(parts["versions"], row["revision"]),
        workflow_id=row["key"],
        **parts,
    )


async def _by_key(s: AsyncSession, query: Select[Any]) -> defaultdict[str, list[RowMapping]]:
    grouped: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in (await s.execute(query)).mappings():
        grouped[row["key"]].append(row)
    return grouped


async def _assessments(s: AsyncSession, heads: Iterable[RowMapping], keys: list[str]) -> dict[str, AssessmentView]:
    """Per key the assessment of the present revision; before there is one, the last that was made."""
    present = {row["key"]: row["revision"] for row in heads}
    chosen: dict[str, AssessmentView] = {}
    query = select(_A).where(_A.c.key.in_(keys)).order_by(_A.c.assessed_at)
    for row in (await s.execute(query)).mappings():
        held = chosen.get(row["key"])
        if held is None or held.revision != present[row["key"]]:
            chosen[row["key"]] = AssessmentView(**{**row["body"], "revision": row["revision"]})
    return chosen
