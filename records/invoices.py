"""What the workflow tells us of an invoice, written so that telling it twice or late changes nothing; its reading."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import SQLModel

from billing.assessment import Assessment
from billing.record import InvoiceRecord, Status
from records.sql import insert, insert_for, now, paged, table
from records.tables import (
    AssessmentRow,
    CallRow,
    CaseRow,
    ContentRow,
    DecisionRow,
    EntryRow,
    EventRow,
    IntentRow,
    InvoiceRow,
    TrailRow,
)
from records.views import STATUS, CaseView, InvoiceView, Page, assemble, head_query

_N, _I, _V, _K, _A = table(IntentRow), table(InvoiceRow), table(EventRow), table(CaseRow), table(AssessmentRow)
_C = table(ContentRow)
_STATE: Final = frozenset(
    {
        "status",
        "total_minor",
        "currency",
        "version",
        "revision",
        "external_id",
        "link",
        "due_date",
        "recipient",
        "carried",
    }
    | {"available_actions", "failed_step", "waiting_for", "assignee", "decide_by", "approved_by"}
)
_PLACED: Final = {
    "entries": table(EntryRow),
    "decisions": table(DecisionRow),
    "trail": table(TrailRow),
    "calls": table(CallRow),
}
"""By the names of billing.record.Placed."""
_ISSUED: Final = frozenset({Status.SENT, Status.VIEWED, Status.CHANGE_REQUESTED, Status.APPROVED, Status.BILLED})


async def save_record(s: AsyncSession, record: InvoiceRecord) -> None:
    """Write one record; see `save_records`."""
    await save_records(s, [record])


async def save_records(s: AsyncSession, records: Sequence[InvoiceRecord]) -> None:
    """Write records of any invoices. One that is older than what stands is passed over: what it tells was told again.

    A handful of statements for all of them, each only where some record carries that part: this is the hot path.
    """
    connection = await s.connection()
    records = await _still_news(connection, records)
    dialect = connection.dialect.name
    for statement, rows in (
        (_upsert_state(dialect), [_state(record) for record in records]),
        (_upsert_placed(dialect, EntryRow), [row for record in records for row in _entries(record)]),
        (_upsert_placed(dialect, TrailRow), [row for record in records for row in _trail(record)]),
        (_upsert_placed(dialect, CallRow), [row for record in records for row in _calls(record)]),
        (_upsert_content(dialect), [row for record in records for row in _contents(record)]),
        (_upsert_placed(dialect, DecisionRow), [row for record in records for row in _decisions(record)]),
        (_upsert_case(dialect), [row for record in records for row in _cases(record)]),
        (_state_fate(), [row for record in records for row in _fates(record)]),
    ):
        if rows:
            await connection.execute(statement, rows)


async def _still_news(connection: AsyncConnection, records: Sequence[InvoiceRecord]) -> list[InvoiceRecord]:
    """Without those that are older than what stands. Where something stands that was told after what a record knows to
    be told, a workflow task told it that never was, since its worker died: its places are cleared for what was."""
    query = select(_I.c.key, _I.c.sequence).where(_I.c.key.in_({record.key for record in records}))
    # In order, so that two who write the same invoices wait for one another once.
    found = await connection.execute(query.order_by(_I.c.key).with_for_update())
    standing = {row.key: row.sequence for row in found}
    news = [record for record in records if standing.get(record.key, 0) <= record.sequence]
    for record in news:
        if record.after is not None and record.after < standing.get(record.key, 0) < record.sequence:
            await _clear(connection, record)
    return news


async def _clear(connection: AsyncConnection, record: InvoiceRecord) -> None:
    for part, count in record.placed or ():
        rows = _PLACED[part]
        await connection.execute(delete(rows).where(rows.c.key == record.key, rows.c.position > count))


def _state(record: InvoiceRecord) -> dict[str, Any]:
    return {
        **{name: getattr(record, name) for name in _STATE},
        "key": record.key,
        "status": record.status.value,
        "available_actions": list(record.available_actions),
        "approved_by": list(record.approved_by),
        "sequence": record.sequence,
        "issued": record.status in _ISSUED,
        "updated_at": now(),
    }


@lru_cache
def _upsert_state(dialect: str) -> Any:
    """Built once: SQLAlchemy takes longer to build this statement than SQLite to run it."""
    statement = insert_for(dialect, InvoiceRow)
    told = statement.excluded
    changed = {name: told[name] for name in (*_STATE, "sequence", "updated_at")}
    return statement.on_conflict_do_update(
        index_elements=["key"],
        set_={**changed, "issued": or_(_I.c.issued, told["issued"])},
        where=_I.c.sequence <= told["sequence"],
    )


@lru_cache
def _upsert_placed(dialect: str, model: type[SQLModel]) -> Any:
    """What has a place in its invoice. A workflow task that did not complete is played again, perhaps with more in its
    inbox: what its second play tells for a place replaces what the first one told."""
    columns = [column.name for column in table(model).columns]
    statement = insert_for(dialect, model).values({name: bindparam(name) for name in columns})
    changed = {name: statement.excluded[name] for name in columns if name not in {"key", "position"}}
    newest = select(_I.c.sequence).where(_I.c.key == bindparam("of")).scalar_subquery()
    return statement.on_conflict_do_update(
        index_elements=["key", "position"], set_=changed, where=newest <= bindparam("told_by")
    )


@lru_cache
def _upsert_content(dialect: str) -> Any:
    """Told twice, when it comes to be and when it is issued: the second telling adds only that."""
    statement = insert_for(dialect, ContentRow)
    issued_at = func.coalesce(statement.excluded.issued_at, _C.c.issued_at)
    return statement.on_conflict_do_update(index_elements=["key", "revision"], set_={"issued_at": issued_at})


@lru_cache
def _upsert_case(dialect: str) -> Any:
    statement = insert_for(dialect, CaseRow)
    changed = {column.name: statement.excluded[column.name] for column in _K.columns if not column.primary_key}
    return statement.on_conflict_do_update(
        index_elements=["key", "id"], set_=changed, where=_K.c.sequence <= statement.excluded["sequence"]
    )


@lru_cache
def _state_fate() -> Any:
    """A fate may change (a late event can turn an applied one into an ignored one); the newest record's word stands."""
    unsaid = or_(_V.c.stated_by.is_(None), _V.c.stated_by <= bindparam("stated_by"))
    values: dict[str, Any] = {name: bindparam(name) for name in ("fate", "reason", "stated_by")}
    return update(_V).where(_V.c.id == bindparam("event"), unsaid).values(values)


def _placed(record: InvoiceRecord, position: int, values: dict[str, Any]) -> dict[str, Any]:
    return {"key": record.key, "position": position, "of": record.key, "told_by": record.sequence, **values}


def _entries(record: InvoiceRecord) -> list[dict[str, Any]]:
    return [_placed(record, entry.number, entry.model_dump(exclude={"number"})) for entry in record.entries]


def _trail(record: InvoiceRecord) -> list[dict[str, Any]]:
    return [_placed(record, entry.position, entry.model_dump(exclude={"position"})) for entry in record.trail]


def _calls(record: InvoiceRecord) -> list[dict[str, Any]]:
    return [_placed(record, one.position, {"step": one.step, **one.call.model_dump()}) for one in record.calls]


def _contents(record: InvoiceRecord) -> list[dict[str, Any]]:
    return [
        {
            **content.model_dump(exclude={"commercial"}),
            "key": record.key,
            "commercial": content.commercial.model_dump(mode="json") if content.commercial else None,
        }
        for content in record.contents
    ]


def _decisions(record: InvoiceRecord) -> list[dict[str, Any]]:
    return [_placed(record, one.position, one.model_dump(exclude={"position"})) for one in record.decisions]


def _cases(record: InvoiceRecord) -> list[dict[str, Any]]:
    return [{**case.model_dump(), "key": record.key, "sequence": record.sequence} for case in record.cases]


def _fates(record: InvoiceRecord) -> list[dict[str, Any]]:
    return [
        {"event": fate.event_id, "fate": fate.fate.value, "reason": fate.reason, "stated_by": record.sequence}
        for fate in sorted(record.fates, key=lambda fate: fate.event_id)
    ]


async def save_assessment(s: AsyncSession, key: str, revision: str, assessment: Assessment) -> None:
    """Keep what the policy said of a revision; saying it again replaces it."""
    values = {"body": assessment.model_dump(mode="json"), "assessed_at": now()}
    statement = insert(s, AssessmentRow).values(key=key, revision=revision, **values)
    await s.execute(statement.on_conflict_do_update(index_elements=["key", "revision"], set_=values))


async def last_assessment(s: AsyncSession, key: str) -> Assessment | None:
    """What the policy said of the invoice last."""
    query = select(_A.c.body).where(_A.c.key == key).order_by(_A.c.assessed_at.desc()).limit(1)
    body = (await s.execute(query)).scalar_one_or_none()
    return None if body is None else Assessment.model_validate(body)


async def get_view(s: AsyncSession, key: str) -> InvoiceView | None:
    rows = (await s.execute(head_query().where(_N.c.key == key))).mappings().all()
    views = await assemble(s, rows)
    return views[0] if views else None


async def customer_of(s: AsyncSession, key: str) -> str | None:
    """Whose invoice it is; None where there is none."""
    found: str | None = (await s.execute(select(_N.c.customer_id).where(_N.c.key == key))).scalar_one_or_none()
    return found


async def list_views(
    s: AsyncSession,
    *,
    status: Status | str | None = None,
    customer_id: str | None = None,
    customers: Collection[str] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """Newest first; `customers` are the only ones that whoever asks may see. Raises BadInput on a cursor that is not of
    this list."""
    query = head_query()
    if status is not None:
        query = query.where(STATUS.in_([Status(status).value]))
    if customer_id is not None:
        query = query.where(_N.c.customer_id == customer_id)
    if customers is not None:
        query = query.where(_N.c.customer_id.in_(customers))
    place = (_N.c.created_at, _N.c.key)
    shown, next_cursor = await paged(s, query, place, cursor=cursor, limit=limit, newest_first=True)
    return Page(data=await assemble(s, shown), next_cursor=next_cursor)


async def awaiting_approval(s: AsyncSession, *, cursor: str | None = None, limit: int = 50) -> Page:
    """The invoices that wait for a human's yes."""
    return await list_views(s, status=Status.AWAITING_APPROVAL, cursor=cursor, limit=limit)


class OpenCase(CaseView):
    """A case with the invoice that it is about."""

    key: str


class ListedCase(OpenCase):
    """Where its invoice is no longer `change_requested`, a version is being made that answers it."""

    invoice_status: str


class CasePage(BaseModel):
    """One page of open change requests; `next_cursor` is empty on the last."""

    data: list[ListedCase]
    next_cursor: str | None = None


async def open_cases(s: AsyncSession, *, cursor: str | None = None, limit: int = 50) -> CasePage:
    """Change requests that are not closed, the next deadline first. Raises BadInput on a cursor of another list."""
    query = select(_K, _I.c.status.label("invoice_status")).join(_I, _I.c.key == _K.c.key).where(_K.c.status == "open")
    place = (_K.c.deadline, _K.c.key, _K.c.id)
    shown, next_cursor = await paged(s, query, place, cursor=cursor, limit=limit)
    return CasePage(data=[ListedCase.model_validate(dict(row)) for row in shown], next_cursor=next_cursor)


async def keys_of(s: AsyncSession, external_ids: Collection[str]) -> dict[str, str]:
    """The keys of the invoices that the API knows by these ids."""
    query = select(_I.c.external_id, _I.c.key).where(_I.c.external_id.in_(external_ids))
    return {row.external_id: row.key for row in await s.execute(query)}
