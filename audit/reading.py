"""Our records, a page of invoices at a time, each page from one snapshot, so that no page contradicts itself."""

from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import select

from audit.books import Book
from records.papers import EVENTS, OWNER, read_papers
from records.session import Database
from records.sql import table
from records.tables import EventRow, IntentRow

PAGE: Final = 250
# Bounds memory, and the parameters of one statement well below what SQLite takes.
_N, _V = table(IntentRow), table(EventRow)


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
        return await read_papers(session, keys, Book)


async def orphans(database: Database) -> AsyncIterator[list[EventRow]]:
    """Stored events that belong to no invoice of ours, page by page."""
    last = ""
    while True:
        query = select(_V).select_from(EVENTS).where(OWNER.is_(None), _V.c.id > last).order_by(_V.c.id).limit(PAGE)
        async with database.session() as session:
            found = [EventRow(**row) for row in (await session.execute(query)).mappings()]
        if found:
            yield found
        if len(found) < PAGE:
            return
        last = found[-1].id
