"""All that our records hold of an invoice, row by row, as of one moment: what an audit compares and a dossier shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from billing.intent import Intent
from billing.record import Status
from records.sql import table
from records.tables import (
    AssessmentRow,
    CallRow,
    CaseRow,
    ContentRow,
    DealRow,
    DecisionRow,
    EntryRow,
    EventRow,
    IntentRow,
    InvoiceRow,
    MailRow,
    TrailRow,
)

_N, _I, _V = table(IntentRow), table(InvoiceRow), table(EventRow)
OWNER: Final = func.coalesce(_N.c.key, _I.c.key)
EVENTS: Final = _V.outerjoin(_N, _N.c.key == _V.c.reference).outerjoin(_I, _I.c.external_id == _V.c.invoice_id)
# An event's invoice is found as the router finds it: by our reference first, else by the API's id.


@dataclass
class Papers:
    """One invoice, each list in its own order. `row` is None until its workflow told a first record."""

    registered: IntentRow
    row: InvoiceRow | None = None
    assessments: list[AssessmentRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    trail: list[TrailRow] = field(default_factory=list)
    contents: list[ContentRow] = field(default_factory=list)
    cases: list[CaseRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    calls: list[CallRow] = field(default_factory=list)
    mails: list[MailRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    deals: list[DealRow] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.registered.key

    @property
    def status(self) -> Status:
        return Status(self.row.status) if self.row else Status.DRAFTING

    @property
    def intent(self) -> Intent:
        return Intent.model_validate_json(self.registered.payload)


P = TypeVar("P", bound=Papers)
R = TypeVar("R", bound=SQLModel)
_LISTS: Final[dict[str, tuple[type[SQLModel], str]]] = {
    "assessments": (AssessmentRow, "assessed_at"),
    "decisions": (DecisionRow, "position"),
    "trail": (TrailRow, "position"),
    "contents": (ContentRow, "made_at"),
    "cases": (CaseRow, "opened_at"),
    "entries": (EntryRow, "position"),
    "calls": (CallRow, "position"),
    "mails": (MailRow, "claimed_at"),
    "deals": (DealRow, "billed_at"),
}


async def read_papers(s: AsyncSession, keys: Sequence[str], make: Callable[[IntentRow], P]) -> list[P]:
    """The papers of `keys`, those that we have, in the order of `keys`."""
    await _one_snapshot(s)
    found = {row.key: make(row) for row in await _rows(s, IntentRow, keys, "key")}
    for row in await _rows(s, InvoiceRow, keys, "key"):
        found[row.key].row = row
    for name, (model, order) in _LISTS.items():
        for one in await _rows(s, model, list(found), order):
            getattr(found[one.key], name).append(one)  # type: ignore[attr-defined]
    await _events(s, found)
    return [found[key] for key in keys if key in found]


async def _one_snapshot(s: AsyncSession) -> None:
    """SQLite's read transaction is one by itself; PostgreSQL must be asked."""
    if s.get_bind().dialect.name == "postgresql":
        await s.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def _rows(s: AsyncSession, model: type[R], keys: Sequence[str], order: str) -> list[R]:
    """By `order`; of rows that are equal in it the primary key decides, so that two readings give one order."""
    columns = table(model)
    query = select(columns).where(columns.c.key.in_(keys)).order_by(columns.c[order], *columns.primary_key)
    return [model(**row) for row in (await s.execute(query)).mappings()]


async def _events(s: AsyncSession, found: dict[str, P]) -> None:
    query: Select[Any] = select(_V, OWNER.label("owner")).select_from(EVENTS).where(OWNER.in_(list(found)))
    for row in (await s.execute(query.order_by(_V.c.received_at, _V.c.id, _V.c.source))).mappings():
        fields = {name: value for name, value in row.items() if name != "owner"}
        found[row["owner"]].events.append(EventRow(**fields))
