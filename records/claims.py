"""Claims of dispatchers on invoices: short leases in a table, so that two processes never signal one invoice at once.

A lease and no row lock: a lock would have to be held over calls to Temporal, in a transaction that lasts as long as
they do, and SQLite has no row locks. Every statement goes through the names in their order, so that two processes that
want the same ones wait for each other and never in a circle.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from records.claim_tables import ClaimRow
from records.events import IS_PENDING, Due
from records.sql import insert_for, table
from records.tables import EventRow

_C, _V = table(ClaimRow), table(EventRow)
_FORGOTTEN: Final = timedelta(hours=1)
# Nobody has wanted the invoice since its holder died; long past any lease, so that nobody is about to take it over.


async def claim(s: AsyncSession, holder: str, names: Collection[str], at: datetime, until: datetime) -> set[str]:
    """Those of `names` that are now the holder's until `until`: free ones, his own, and those whose time is over."""
    if not names:
        return set()
    connection = await s.connection()
    rows = [{"name": name, "holder": holder, "since": at, "until": until} for name in sorted(names)]
    return set((await connection.execute(_take(connection.dialect.name), rows)).scalars())


@lru_cache
def _take(dialect: str) -> Any:
    statement = insert_for(dialect, ClaimRow)
    given = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": given.holder, "since": given.since, "until": given.until},
        where=(_C.c.until <= given.since) | (_C.c.holder == given.holder),
    ).returning(_C.c.name)


async def renew(s: AsyncSession, holder: str, names: Collection[str], until: datetime) -> None:
    """Those of `names` that are still the holder's are his until `until`."""
    await _each(s, update(_C).where(*_HIS).values(until=bindparam("later")), holder, names, later=until)


async def release(s: AsyncSession, holder: str, names: Collection[str]) -> None:
    """Others may have them at once."""
    await _each(s, delete(_C).where(*_HIS), holder, names)


_HIS: Final = (_C.c.name == bindparam("mine"), _C.c.holder == bindparam("whose"))


async def _each(s: AsyncSession, statement: Any, holder: str, names: Collection[str], **values: Any) -> None:
    if names:
        rows = [{"mine": name, "whose": holder, **values} for name in sorted(names)]
        await (await s.connection()).execute(statement, rows)


async def release_all(s: AsyncSession, holder: str) -> None:
    """The holder stops."""
    await s.execute(delete(_C).where(_C.c.holder == holder))


async def forget(s: AsyncSession, at: datetime) -> None:
    """Drop what dead holders left and nobody took over; what another process drops just now is left to it."""
    old = select(_C.c.name).where(_C.c.until < at - _FORGOTTEN).with_for_update(skip_locked=True)
    await s.execute(delete(_C).where(_C.c.name.in_(old)))


async def still_due(s: AsyncSession, rows: Sequence[Due], at: datetime) -> list[Due]:
    """Those of `rows` that are due at `at` still, with their tries as they now stand.

    Between reading what is due and claiming it, another may have delivered it, or found that its lane has to wait.
    """
    lanes = {row.lane for row in rows}
    resting = (
        select(_V.c.lane)
        .where(IS_PENDING, _V.c.lane.in_(lanes))
        .group_by(_V.c.lane)
        .having(func.max(_V.c.next_attempt_at) > at)
    )
    query = select(_V.c.id, _V.c.source, _V.c.attempts).where(
        IS_PENDING, _V.c.id.in_({row.id for row in rows}), _V.c.lane.not_in(resting)
    )
    found = {(row.id, row.source): row.attempts for row in await s.execute(query)}
    return [replace(row, attempts=found[row.id, row.source]) for row in rows if (row.id, row.source) in found]
