"""What waits for a person, in one list: approvals, open change requests, invoices that are parked for repair.

The next deadline comes first. A repair has none: an invoice that is parked stands still from that moment on, so it is
listed as due since then. What has no time at all comes last. A page reads its own rows and no timeline, so that a desk
with thousands of open approvals shows it as fast as one with ten.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, literal, null, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import Subquery

from billing.money import Money
from billing.record import Status
from billing.untrusted import ShownText
from records.sql import now, paged, table
from records.tables import AssessmentRow, CaseRow, Customer, EntryRow, IntentRow, InvoiceRow, Utc

_N, _I, _C = table(IntentRow), table(InvoiceRow), table(Customer)
_K, _A, _E = table(CaseRow), table(AssessmentRow), table(EntryRow)
_NEVER: Final = type_coerce(literal(datetime(9999, 12, 31, tzinfo=UTC), Utc()), Utc())
# Where something without a time stands in the order.
_FAILED: Final = "failed"


class Kind(StrEnum):
    """What is wanted of the person."""

    APPROVAL = "approval"
    CASE = "case"
    REPAIR = "repair"


class Waiting(BaseModel):
    """One thing that waits. `age` counts the seconds since `since`, when it began to wait.

    `case_id` is empty but for a case, whose `reason` is the recipient's untrusted words. `assignee_or_owner` may be
    empty: anyone who may decide. `approved_by` is who of two has said yes to an approval. `total` is a decimal string,
    `total_minor` the same in minor units of `currency`.
    """

    kind: Kind
    key: str
    case_id: str
    customer_id: str
    customer_name: str
    motion: str
    currency: str
    total: str
    total_minor: int
    version: int
    revision: str
    deadline: datetime | None
    assignee_or_owner: str
    approved_by: list[str]
    reason: ShownText
    since: datetime
    age: int
    failed_step: str | None = None


class Inbox(BaseModel):
    """One page; `next_cursor` is empty on the last."""

    data: list[Waiting]
    next_cursor: str | None = None


async def inbox(
    s: AsyncSession,
    *,
    kind: Kind | None = None,
    q: str = "",
    assignee: str | None = None,
    customers: Collection[str] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Inbox:
    """The next deadline first. Every word of `q` is found in the key, the customer's id or name, or the reason;
    `customers` are the only ones that whoever asks may see.

    Raises BadInput on a cursor that is not of this list.
    """
    waiting = _waiting([kind] if kind else list(Kind))
    query = _described(waiting).where(*(_found_in(waiting, word) for word in q.split()))
    if assignee is not None:
        query = query.where(waiting.c.whose == assignee)
    if customers is not None:
        query = query.where(_N.c.customer_id.in_(customers))
    place = (waiting.c.due, waiting.c.kind, waiting.c.key, waiting.c.case_id)
    shown, next_cursor = await paged(s, query, place, cursor=cursor, limit=limit)
    return Inbox(data=await _told(s, shown), next_cursor=next_cursor)


async def counts(s: AsyncSession) -> dict[Kind, int]:
    """How much of each kind waits."""
    waiting = _waiting(list(Kind))
    rows = await s.execute(select(waiting.c.kind, func.count()).group_by(waiting.c.kind))
    found = {Kind(kind): count for kind, count in rows}
    return {kind: found.get(kind, 0) for kind in Kind}


def _waiting(kinds: Sequence[Kind]) -> Subquery:
    """One row per thing, with what it is ordered, filtered and searched by."""
    branches = {Kind.APPROVAL: _approvals, Kind.CASE: _cases, Kind.REPAIR: _repairs}
    first, *others = (branches[kind]() for kind in kinds)
    return (first.union_all(*others) if others else first).subquery("waiting")


def _approvals() -> Select[Any]:
    due = func.coalesce(_I.c.decide_by, _NEVER)
    return _branch(
        Kind.APPROVAL, _I.c.key, literal(""), due, _I.c.decide_by, _I.c.assignee, _I.c.waiting_for, _I.c.version
    ).where(_I.c.status == Status.AWAITING_APPROVAL.value)


def _cases() -> Select[Any]:
    """Not those that a version is being made for: what waits then is that version's approval or repair."""
    return _branch(
        Kind.CASE, _K.c.key, _K.c.id, _K.c.deadline, _K.c.deadline, _K.c.owner, _K.c.message, _K.c.version
    ).where(_K.c.status == "open", _I.c.key == _K.c.key, _I.c.status == Status.CHANGE_REQUESTED.value)


def _repairs() -> Select[Any]:
    failed = select(func.max(_E.c.at)).where(_E.c.key == _I.c.key, _E.c.kind == _FAILED).scalar_subquery()
    due = func.coalesce(type_coerce(failed, Utc()), _I.c.updated_at)
    no_deadline = type_coerce(null(), Utc())
    return _branch(
        Kind.REPAIR, _I.c.key, literal(""), due, no_deadline, literal(""), _I.c.waiting_for, _I.c.version
    ).where(_I.c.status == Status.NEEDS_ATTENTION.value)


def _branch(kind: Kind, *columns: ColumnElement[Any]) -> Select[Any]:
    """With all a page shows of the invoice: a search that looked it up again cost PostgreSQL a third of a second."""
    names = ("key", "case_id", "due", "deadline", "whose", "words", "version")
    labelled = (column.label(name) for name, column in zip(names, columns, strict=True))
    shown = (_I.c[name] for name in ("currency", "total_minor", "revision", "approved_by", "failed_step"))
    return select(literal(kind.value).label("kind"), *labelled, *shown)


def _described(waiting: Subquery) -> Select[Any]:
    return select(
        *waiting.c,
        _N.c.motion,
        _N.c.customer_id,
        _N.c.created_at,
        _C.c.name.label("customer_name"),
    ).select_from(waiting.join(_N, _N.c.key == waiting.c.key).join(_C))


def _found_in(waiting: Subquery, word: str) -> ColumnElement[bool]:
    """Case does not count; `%` and `_` are looked for as themselves."""
    fields = (waiting.c.key, _N.c.customer_id, _C.c.name, waiting.c.words)
    return or_(*(field.icontains(word, autoescape=True) for field in fields))


async def _told(s: AsyncSession, rows: Sequence[RowMapping]) -> list[Waiting]:
    assessed = await _assessed(s, [row for row in rows if row["kind"] == Kind.APPROVAL])
    opened = await _opened(s, [row for row in rows if row["kind"] == Kind.CASE])
    at = now()
    return [_one(row, assessed.get(row["key"]), opened.get((row["key"], row["case_id"])), at) for row in rows]


def _one(row: RowMapping, assessed: RowMapping | None, opened_at: datetime | None, at: datetime) -> Waiting:
    since = opened_at or (assessed["assessed_at"] if assessed else None)
    since = since or (row["due"] if row["kind"] == Kind.REPAIR else row["created_at"])
    reasons = [reason["text"] for reason in assessed["body"].get("reasons", [])] if assessed else []
    return Waiting(
        **{name: row[name] for name in row if name in Waiting.model_fields and name != "approved_by"},
        approved_by=list(row["approved_by"] or ()) if row["kind"] == Kind.APPROVAL else [],
        total=f"{Money(minor=row['total_minor'], currency=row['currency']).major:f}",
        assignee_or_owner=row["whose"],
        reason=" ".join(reasons) or row["words"],
        since=since,
        age=max(0, int((at - since).total_seconds())),
    )


async def _assessed(s: AsyncSession, rows: Iterable[RowMapping]) -> dict[str, RowMapping]:
    """Per key what the policy said of the present revision."""
    wanted = {row["key"]: row["revision"] for row in rows}
    if not wanted:
        return {}
    query = select(_A.c.key, _A.c.revision, _A.c.body, _A.c.assessed_at).where(_A.c.key.in_(wanted))
    found = (await s.execute(query)).mappings()
    return {row["key"]: row for row in found if row["revision"] == wanted[row["key"]]}


async def _opened(s: AsyncSession, rows: Sequence[RowMapping]) -> dict[tuple[str, str], datetime]:
    if not rows:
        return {}
    these = or_(*(and_(_K.c.key == row["key"], _K.c.id == row["case_id"]) for row in rows))
    return {(row.key, row.id): row.opened_at for row in await s.execute(select(_K).where(these))}
