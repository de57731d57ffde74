"""Stored events on their way to their workflows, in lanes: one after another within an invoice, invoices side by side.

An invoice is claimed while its events are in hand, so that no other process has them too (starter/claiming.py).

No invoice waits for another: one whose calls take long keeps its own lane busy and nothing else, one that Temporal
refuses for now rests, and the marks of whatever was settled share transactions, for SQLite has one writer.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bound_contextvars as about

from records import events
from records.events import Due, Mark
from records.group import GroupCommit
from records.session import Database
from starter.claiming import LEASE_S, Claims
from starter.client import Engine, EngineUnreachable
from starter.routing import Verdict, Waits
from telemetry import tracing

SIDE_BY_SIDE: Final = 8
# Invoices at a time: enough to hide the engine's latency, few enough that a small machine still answers senders.
REST: Final = timedelta(seconds=5)
# For an invoice whose signal Temporal did not take although it serves; its other invoices have their turn meanwhile.
_COURTESY_S: Final = 0.01
_COURTESIES: Final = 10
# However long the door is late, ten events a second are still delivered.

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class UnderWay:
    """What one task delivers: events of one invoice, named by its key, or by their lane where nobody knows it."""

    name: str
    lanes: frozenset[str]
    events: int


class Watcher(Protocol):
    """Whoever counts what happens here."""

    def waiting(self, count: int) -> None: ...

    def fate(self, fate: str) -> None: ...


class Settling(Protocol):
    """Whoever knows what becomes of one event."""

    async def keys_of(self, rows: Sequence[Due]) -> dict[str, str | None]: ...

    async def settle(self, row: Due, key: str | None) -> Verdict: ...

    def unforeseen(self, row: Due, error: Exception) -> Verdict: ...


class Turns:
    """Calls to Temporal: so many at a time, and none once it was found to be away, until `retry` finds it again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._away = False
        self._in_a_row = 0

    async def retry(self) -> None:
        """Raises EngineUnreachable while Temporal is away: a backlog is not read only to find that out again."""
        if self._away:
            await self._engine.check()
        self._away = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[bool]:
        """One of the slots; False once Temporal was found to be away, so that the rest need not find out too."""
        async with self._slots:
            try:
                yield not self._away
            except (EngineUnreachable, TimeoutError):
                self._away = True
                raise

    def went_well(self) -> None:
        self._in_a_row = 0

    async def is_away(self) -> bool:
        """After a call that was not answered: is it Temporal, or this one invoice? Many in a row are Temporal's too."""
        self._in_a_row += 1
        if self._in_a_row >= SIDE_BY_SIDE:
            self._in_a_row = 0
            return True
        try:
            await self._engine.check()
        except EngineUnreachable:
            return True
        return False


class Delivery:
    """`begin` puts due events on their way; `finished` waits for them, though not longer than it is told to."""

    def __init__(
        self,
        database: Database,
        turns: Turns,
        router: Settling,
        *,
        watcher: Watcher | None = None,
        door_is_late: Callable[[], bool] = lambda: False,
        when_free: Callable[[], None] = lambda: None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._turns, self._router, self._watcher = turns, router, watcher
        self._door_is_late, self._when_free = door_is_late, when_free
        self._way_in = asyncio.Lock()
        self.claims = Claims(database, lease_s)
        self._ends = GroupCommit(database, self._write)
        self._under_way: dict[asyncio.Task[None], UnderWay] = {}

    @property
    def lanes(self) -> set[str]:
        """The lanes in which events are under way."""
        return {lane for one in self._under_way.values() for lane in one.lanes}

    @property
    def count(self) -> int:
        """Events under way."""
        return sum(one.events for one in self._under_way.values())

    async def begin(self, due: Sequence[Due]) -> bool:
        """Whether some of it set out. `due` are of lanes that are not under way. Raises what the database raises; then
        nothing was begun.

        An invoice has a second lane where some of its events name it by the API's id alone: that one waits.
        """
        if not due:
            return False
        keys = await self._router.keys_of(due)
        invoices: dict[str, list[Due]] = defaultdict(list)
        for row in due:
            invoices[keys[row.id] or row.lane].append(row)
        busy = {one.name for one in self._under_way.values()}
        taken = await self.claims.take({name: rows for name, rows in invoices.items() if name not in busy})
        for name, rows in taken.items():
            task = asyncio.create_task(self._deliver(name, rows, keys[rows[0].id]))
            self._under_way[task] = UnderWay(name, frozenset(row.lane for row in rows), len(rows))
            task.add_done_callback(lambda _: self._when_free())
        return bool(taken)

    async def finished(self, patience_s: float | None = None) -> None:
        """Raises the first trouble, if any, after the others went on: one invoice's trouble stops no other."""
        if not self._under_way:
            return
        done, _ = await asyncio.wait(self._under_way, timeout=patience_s)
        for task in done:
            del self._under_way[task]
        for trouble in [task.exception() for task in done]:
            if trouble is not None:
                raise trouble

    async def stop(self) -> None:
        """What is under way stays pending, unless it was settled."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()
        await self.claims.let_go()

    async def _deliver(self, name: str, rows: list[Due], key: str | None) -> None:
        """One invoice's events, in order. One that has to wait holds back those behind it."""
        marks: list[Mark] = []
        try:
            async with self._turns.one() as is_on:
                for row in rows if is_on else ():
                    await self._after_the_door()
                    if not self.claims.holds(name):
                        log.warning("claim_lost", name=name)
                        return
                    verdict = await self._settle(row, key)
                    marks.append(_as_mark(row, verdict))
                    if isinstance(verdict, Waits):
                        return
        finally:
            await self._ended(name, marks)

    async def _after_the_door(self) -> None:
        """Whoever waits for an answer goes first: a stored event can wait, a sender cannot. Never for long.

        One after another, so that they do not all set out in the same moment once the door is quick again.
        """
        async with self._way_in:
            for _ in range(_COURTESIES):
                if not self._door_is_late():
                    return
                await asyncio.sleep(_COURTESY_S)

    async def _settle(self, row: Due, key: str | None) -> Verdict:
        """Raises EngineUnreachable while Temporal is away, and what the database raises: neither is the event's."""
        try:
            with tracing.delivering(row.source, row.id, row.type), about(event_id=row.id, key=key):
                verdict = await self._router.settle(row, key)
                log.info("event_settled", type=row.type, fate=verdict.fate.value)
        except (EngineUnreachable, TimeoutError) as error:
            if await self._turns.is_away():
                raise
            log.warning("invoice_rests", event_id=row.id, key=key, cause=str(error)[:200])
            return Waits(datetime.now(UTC) + REST, f"Temporal did not take it: {error}"[:300], counts=False)
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:
            log.exception("event_stumbled", event_id=row.id, key=key, type=row.type)
            return self._router.unforeseen(row, error)
        self._turns.went_well()
        return verdict

    async def _ended(self, name: str, marks: list[Mark]) -> None:
        """Marked and given back in one transaction: whoever has it next sees what became of it."""
        self.claims.end(name)
        await self._ends.put((name, marks))
        for mark in marks:
            if self._watcher:
                self._watcher.fate(mark.fate.value)

    async def _write(self, session: AsyncSession, found: Sequence[tuple[str, list[Mark]]]) -> Sequence[None]:
        await events.mark(session, [mark for _, marks in found for mark in marks])
        await self.claims.give_back(session, [name for name, _ in found])
        return [None] * len(found)


def _as_mark(row: Due, verdict: Verdict) -> Mark:
    if not isinstance(verdict, Waits):
        return Mark(row.id, verdict.fate, verdict.reason, attempts=row.attempts + 1)
    attempts = row.attempts + verdict.counts
    return Mark(row.id, verdict.fate, verdict.reason, attempts=attempts, next_attempt_at=verdict.until)
