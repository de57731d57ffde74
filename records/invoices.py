"""What the workflow tells us of an invoice, written so that telling it twice or late changes nothing; its reading."""

from typing import Any, Final

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing.intent import canonical_hash
from billing.policy import Assessment
from billing.record import InvoiceRecord, Status
from records.sql import insert, now, page_size, returned, table, time_cursor, to_cursor
from records.tables import AssessmentRow, CaseRow, DecisionRow, EntryRow, EventRow, IntentRow, InvoiceRow
from records.views import STATUS, CaseView, InvoiceView, Page, assemble, head_query

_N, _I, _V, _K = table(IntentRow), table(InvoiceRow), table(EventRow), table(CaseRow)
_STATE: Final = frozenset(
    {"status", "total_minor", "currency", "version", "revision", "external_id", "link", "due_date", "recipient"}
    | {"available_actions", "failed_step", "waiting_for"}
)
_ISSUED: Final = frozenset({Status.SENT, Status.VIEWED, Status.CHANGE_REQUESTED, Status.APPROVED, Status.BILLED})


async def save_record(s: AsyncSession, record: InvoiceRecord) -> bool:
    """Write `record`; False if a newer one stands, whose state is then kept. Entries, decisions and fates always are.

    A handful of statements, each only where the record carries that part: this is the hot path.
    """
    newest = await _save_state(s, record)
    await _save_entries(s, record)
    await _save_decisions(s, record)
    await _save_cases(s, record)
    await _save_fates(s, record)
    return newest


async def _save_state(s: AsyncSession, record: InvoiceRecord) -> bool:
    values: dict[str, Any] = {
        **{name: getattr(record, name) for name in _STATE},
        "status": record.status.value,
        "available_actions": list(record.available_actions),
        "sequence": record.sequence,
        "issued": record.status in _ISSUED,
        "updated_at": now(),
    }
    statement = insert(s, InvoiceRow).values(key=record.key, **values)
    changed = {**values, "issued": or_(_I.c.issued, statement.excluded["issued"])}
    return await returned(
        s,
        statement.on_conflict_do_update(
            index_elements=["key"], set_=changed, where=_I.c.sequence <= record.sequence
        ).returning(_I.c.key),
    )


async def _save_entries(s: AsyncSession, record: InvoiceRecord) -> None:
    rows = [
        {"key": record.key, "position": entry.number, **entry.model_dump(exclude={"number"})}
        for entry in record.entries
    ]
    if rows:
        await s.execute(insert(s, EntryRow).values(rows).on_conflict_do_nothing())


async def _save_decisions(s: AsyncSession, record: InvoiceRecord) -> None:
    rows = [
        {**decision.model_dump(), "key": record.key, "action": decision.action.value, "digest": _digest(decision)}
        for decision in record.decisions
    ]
    if rows:
        await s.execute(insert(s, DecisionRow).values(rows).on_conflict_do_nothing())


def _digest(decision: Any) -> str:
    return canonical_hash(decision.model_dump(mode="json"))


async def _save_cases(s: AsyncSession, record: InvoiceRecord) -> None:
    rows = [{**case.model_dump(), "key": record.key, "sequence": record.sequence} for case in record.cases]
    if not rows:
        return
    statement = insert(s, CaseRow).values(rows)
    await s.execute(
        statement.on_conflict_do_update(
            index_elements=["key", "id"],
            set_={name: statement.excluded[name] for name in rows[0] if name not in {"key", "id"}},
            where=_K.c.sequence <= record.sequence,
        )
    )


async def _save_fates(s: AsyncSession, record: InvoiceRecord) -> None:
    """A fate may change (a late event can turn an applied one into an ignored one); the newest record's word stands."""
    if not record.fates:
        return
    rows = [
        {"event": fate.event_id, "fate": fate.fate.value, "reason": fate.reason, "stated_by": record.sequence}
        for fate in sorted(record.fates, key=lambda fate: fate.event_id)
    ]
    unsaid = or_(_V.c.stated_by.is_(None), _V.c.stated_by <= record.sequence)
    values: dict[str, Any] = {name: bindparam(name) for name in ("fate", "reason", "stated_by")}
    connection = await s.connection()
    await connection.execute(update(_V).where(_V.c.id == bindparam("event"), unsaid).values(values), rows)


async def save_assessment(s: AsyncSession, key: str, revision: str, assessment: Assessment) -> None:
    """Keep what the policy said of a revision; saying it again replaces it."""
    values = {"body": assessment.model_dump(mode="json"), "assessed_at": now()}
    statement = insert(s, AssessmentRow).values(key=key, revision=revision, **values)
    await s.execute(statement.on_conflict_do_update(index_elements=["key", "revision"], set_=values))


async def get_view(s: AsyncSession, key: str) -> InvoiceView | None:
    rows = (await s.execute(head_query().where(_N.c.key == key))).mappings().all()
    views = await assemble(s, rows)
    return views[0] if views else None


async def list_views(
    s: AsyncSession,
    *,
    status: Status | str | None = None,
    customer_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """Newest first. Raises BadInput on a cursor that is not of this list."""
    query = head_query().order_by(_N.c.created_at.desc(), _N.c.key.desc()).limit(page_size(limit) + 1)
    if status is not None:
        query = query.where(STATUS.in_([Status(status).value]))
    if customer_id is not None:
        query = query.where(_N.c.customer_id == customer_id)
    if cursor is not None:
        at, key = time_cursor(cursor)
        query = query.where(or_(_N.c.created_at < at, (_N.c.created_at == at) & (_N.c.key < key)))
    rows = (await s.execute(query)).mappings().all()
    shown = rows[: page_size(limit)]
    more = len(rows) > len(shown)
    next_cursor = to_cursor(shown[-1]["created_at"].isoformat(), shown[-1]["key"]) if more else None
    return Page(data=await assemble(s, shown), next_cursor=next_cursor)


async def awaiting_approval(s: AsyncSession, *, cursor: str | None = None, limit: int = 50) -> Page:
    """The invoices that wait for a human's yes."""
    return await list_views(s, status=Status.AWAITING_APPROVAL, cursor=cursor, limit=limit)


class OpenCase(CaseView):
    """A case with the invoice that it is about."""

    key: str


async def open_cases(s: AsyncSession, *, limit: int = 200) -> list[OpenCase]:
    """Change requests without an answer, the next deadline first."""
    query = select(_K).where(_K.c.status == "open").order_by(_K.c.deadline, _K.c.key).limit(page_size(limit))
    return [OpenCase.model_validate(dict(row)) for row in (await s.execute(query)).mappings()]


async def find_by_external_id(s: AsyncSession, external_id: str) -> str | None:
    """The key of the invoice that the API knows by this id."""
    query = select(_I.c.key).where(_I.c.external_id == external_id).limit(1)
    found: str | None = (await s.execute(query)).scalar_one_or_none()
    return found
