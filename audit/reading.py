"""Our records, a page of invoices at a time, each page from one snapshot, so that no page contradicts itself."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from audit.books import Book
from records.session import Database
from records.sql import table
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

PAGE: Final = 250
# Bounds memory, and the parameters of one statement well below what SQLite takes.
_N, _I, _V = table(IntentRow), table(InvoiceRow), table(EventRow)
R = TypeVar("R", bound=SQLModel)
_OWNER: Final = func.coalesce(_N.c.key, _I.c.key)
_EVENTS: Final = _V.outerjoin(_N, _N.c.key == _V.c.reference).outerjoin(_I, _I.c.external_id == _V.c.invoice_id)
# As the router finds it: by our reference first, else by the API's id.


async def key_pages(database: Database) -> AsyncIterator[list[str]]:
    """Every key, in order."""
    last = ""
    while True:
        query = select(_N.c.key).where(_N.c.key > last).order_by(_N.c.key).limit(PAGE)
        async with database.session() as session:
            found = list((await session.execute(query)).scalars())
        if found:
            yield found
        if len(found) < PAGE:
            return
        last = found[-1]


async def read_books(database: Database, keys: list[str]) -> list[Book]:
    """The books of `keys`, records only, as of one moment."""
    async with database.session() as session:
        await _one_snapshot(session)
        intents = await _rows(session, IntentRow, keys)
        books = {row.key: Book(row) for row in intents}
        for row in await _rows(session, InvoiceRow, keys):
            books[row.key].row = row
        await _fill(session, books, AssessmentRow, lambda book: book.assessments, "assessed_at")
        await _fill(session, books, DecisionRow, lambda book: book.decisions, "at")
        await _fill(session, books, CaseRow, lambda book: book.cases, "opened_at")
        await _fill(session, books, EntryRow, lambda book: book.entries, "position")
        await _fill(session, books, MailRow, lambda book: book.mails, "claimed_at")
        await _fill(session, books, DealRow, lambda book: book.deals, "billed_at")
        await _events(session, books)
    return [books[key] for key in keys if key in books]


async def orphans(database: Database) -> AsyncIterator[list[EventRow]]:
    """Stored events that belong to no invoice of ours, page by page."""
    last = ""
    while True:
        query = select(_V).select_from(_EVENTS).where(_OWNER.is_(None), _V.c.id > last).order_by(_V.c.id).limit(PAGE)
        async with database.session() as session:
            found = [EventRow(**row) for row in (await session.execute(query)).mappings()]
        if found:
            yield found
        if len(found) < PAGE:
            return
        last = found[-1].id


async def _one_snapshot(session: AsyncSession) -> None:
    """SQLite's read transaction is one by itself; PostgreSQL must be asked."""
    if session.get_bind().dialect.name == "postgresql":
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def _rows(session: AsyncSession, model: type[R], keys: list[str], order: str = "key") -> list[R]:
    columns = table(model).c
    query = select(table(model)).where(columns.key.in_(keys)).order_by(columns[order])
    return [model(**row) for row in (await session.execute(query)).mappings()]


async def _fill(
    session: AsyncSession, books: dict[str, Book], model: type[R], shelf: Callable[[Book], list[R]], order: str
) -> None:
    for row in await _rows(session, model, list(books), order):
        shelf(books[row.key]).append(row)  # type: ignore[attr-defined]


async def _events(session: AsyncSession, books: dict[str, Book]) -> None:
    query: Select[Any] = select(_V, _OWNER.label("owner")).select_from(_EVENTS).where(_OWNER.in_(list(books)))
    for row in (await session.execute(query.order_by(_V.c.received_at, _V.c.id))).mappings():
        fields = {name: value for name, value in row.items() if name != "owner"}
        books[row["owner"]].events.append(EventRow(**fields))
