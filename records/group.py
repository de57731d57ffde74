"""Group commit: whoever wants to write while one transaction is being written shares the next.

A commit costs more than a row, and SQLite has one writer; so what comes at once is written at once. Nobody is told
before what he brought is committed, and one item that cannot be written holds up no other. Where it is the database
that fails, all who wait are told at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from records.pool import RecordsUnavailable
from records.session import Database

MOST_AT_ONCE: Final = 50
# One transaction stays at a few milliseconds; other writers wait for it.

_NOBODYS: Final = (RecordsUnavailable, OperationalError, InterfaceError, OSError)
# The database is locked, full, busy or away: no item's fault, and trying each by itself would make the wait so much
# longer.

T = TypeVar("T")
R = TypeVar("R")
Write = Callable[[AsyncSession, Sequence[T]], Awaitable[Sequence[R]]]


class GroupCommit(Generic[T, R]):
    """`write` puts items into the session that it is given and answers one result per item, in their order."""

    def __init__(self, database: Database, write: Write[T, R], most: int = MOST_AT_ONCE) -> None:
        self._database, self._write, self._most = database, write, most
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._writing: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Somebody waits for a commit."""
        return self._writing is not None and not self._writing.done()

    async def put(self, item: T) -> R:
        """The result for `item`, once it is committed. Raises what the database raised."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if not self.is_busy:
            self._writing = asyncio.create_task(self._drain())
        return await result

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            # Who gave up meanwhile comes again, or does not want it any more.
            batch = [one for one in batch if not one[1].done()]
            if not await self._written(batch):
                for one in batch:
                    await self._written([one])

    async def _written(self, batch: list[tuple[T, asyncio.Future[R]]]) -> bool:
        """One transaction for the batch. False if one of several items is to blame."""
        try:
            async with self._database.transaction() as session:
                results = await self._write(session, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits for it hears it
            if len(batch) > 1 and not isinstance(error, _NOBODYS):
                return False
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(error)
            return True
        for (_, waiting), result in zip(batch, results, strict=True):
            if not waiting.done():
                waiting.set_result(result)
        return True
