"""From stored events to signalled workflows: the second half of the door, and what heals a crash between the halves.

One background task in the API process. Intake wakes it at once; besides, it sweeps at its start and every few seconds,
which also starts the workflows of intents that were registered while Temporal was away. Events of one invoice go in
order, one after another; invoices go side by side. Several API processes may do this at once: a workflow knows an event
that comes twice by its id, and starts are deduplicated by key.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError

from billing.intent import Intent
from records import events, intents
from records.events import Due
from records.session import Database
from starter import client as temporal
from starter.client import Engine, EngineUnreachable
from starter.routing import Router, Verdict, Waits

SWEEP_S: Final = 3.0
# How long a crash or a lost wake-up can delay an event.
BATCH: Final = 200
# Bounds the memory of a pass; what is left over is the next pass, at once.
SIDE_BY_SIDE: Final = 16
# Invoices at a time: enough to hide the engine's latency, few enough that the embedded one is not flooded.
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 5, 15, 60, 300, 900, 1800, 3600))
# An event may overtake our own trigger by seconds, or come before somebody imports the invoice; after two hours a
# person has to look.

_COURTESY_S: Final = 0.01
_COURTESIES: Final = 10
# While the door is never empty a slot still delivers ten events a second.
_OUTSIDE: Final = (EngineUnreachable, RPCError, SQLAlchemyError, OSError, TimeoutError)
# Trouble that is not the event's: it is met again at the next sweep.

log = structlog.get_logger(__name__)


class Watcher(Protocol):
    """Whoever counts what happens here."""

    def waiting(self, count: int) -> None: ...

    def fate(self, fate: str) -> None: ...


class Dispatcher:
    """`start` and `stop` belong to the application's lifespan; `wake` is for whoever stored something."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        task_queue: str,
        *,
        watcher: Watcher | None = None,
        door_is_busy: Callable[[], bool] = lambda: False,
        sweep_s: float = SWEEP_S,
        pauses: tuple[timedelta, ...] = PAUSES,
    ) -> None:
        self._database, self._engine, self._task_queue = database, engine, task_queue
        self._router = Router(database, engine, task_queue, pauses)
        self._watcher = watcher
        self._door_is_busy = door_is_busy
        self._sweep_s = sweep_s
        self._news = asyncio.Event()
        self._held: set[str] = set()
        self._started: set[str] = set()
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._away = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with what an earlier process left."""
        self._task = asyncio.create_task(self._run(), name="dispatcher")

    async def stop(self) -> None:
        """Stop at once; whatever was under way stays pending and is taken up by the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def wake(self) -> None:
        """Something was stored."""
        self._news.set()

    def hold(self, key: str) -> None:
        """Somebody else is registering and starting `key` this moment; the sweep leaves it alone."""
        self._held.add(key)

    def release(self, key: str) -> None:
        self._held.discard(key)

    def started(self, key: str) -> None:
        """`key` runs; marked with others in one transaction, so that no caller waits for it."""
        self._started.add(key)
        self._news.set()

    async def _run(self) -> None:
        sweep_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            more = await self._guarded_pass(sweep=loop.time() >= sweep_at)
            if loop.time() >= sweep_at:
                sweep_at = loop.time() + self._sweep_s
            if not more:
                await self._rest(max(0.0, sweep_at - loop.time()))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _guarded_pass(self, *, sweep: bool) -> bool:
        """One pass; True if there is more to do at once. Trouble outside is met again at the next sweep."""
        try:
            return await self.pass_once(sweep=sweep)
        except _OUTSIDE as error:
            log.warning("dispatch_postponed", kind=type(error).__name__, cause=str(error)[:200])
        except Exception:
            # The loop must outlive any one event; the event stays pending and its trouble in the log.
            log.exception("dispatch_failed")
        await asyncio.sleep(min(1.0, self._sweep_s))
        return False

    async def pass_once(self, *, sweep: bool = True) -> bool:
        """Mark what runs, start what does not (when sweeping), deliver what is due. True if a batch was full."""
        if self._away:
            # While Temporal is away, a backlog is not read over and over only to find that out again.
            await self._engine.check()
        self._away = False
        await self._mark_started()
        if sweep:
            await self._start_registered()
        async with self._database.session() as session:
            due = list(await events.pending(session, BATCH, datetime.now(UTC)))
        if self._watcher:
            self._watcher.waiting(len(due))
        await self._deliver_all(due)
        return len(due) == BATCH

    async def _mark_started(self) -> None:
        if not self._started:
            return
        keys, self._started = self._started, set()
        try:
            async with self._database.transaction() as session:
                for key in keys:
                    await intents.mark_started(session, key)
        except BaseException:
            self._started |= keys
            raise

    async def _start_registered(self) -> None:
        """Workflows of intents that were registered and not started."""
        async with self._database.session() as session:
            waiting = await intents.unstarted(session, BATCH)
        await self._side_by_side(self._start(intent) for intent in waiting if intent.key not in self._held)
        await self._mark_started()

    async def _start(self, intent: Intent) -> None:
        async with self._turn() as is_on:
            if not is_on:
                return
            created = await temporal.start_invoice(await self._engine.client(), intent, self._task_queue)
        self._started.add(intent.key)
        log.info("started_by_sweep", key=intent.key, created=created)

    async def _deliver_all(self, due: list[Due]) -> None:
        """What was settled is marked even if some met trouble; in one transaction, for SQLite has one writer."""
        if not due:
            return
        keys = await self._router.keys_of(due)
        lanes: dict[str, list[Due]] = defaultdict(list)
        for row in due:
            lanes[keys[row.id] or row.lane].append(row)
        verdicts: list[tuple[Due, Verdict]] = []
        try:
            await self._side_by_side(self._deliver(lane, keys, verdicts) for lane in lanes.values())
        finally:
            await self._mark(verdicts)

    async def _deliver(self, lane: list[Due], keys: dict[str, str | None], verdicts: list[tuple[Due, Verdict]]) -> None:
        """One invoice's events, in order. One that has to wait holds back those behind it."""
        held: Verdict | None = None
        async with self._turn() as is_on:
            for row in lane if is_on else ():
                await self._after_the_door()
                verdict = held or await self._settle(row, keys[row.id])
                verdicts.append((row, verdict))
                held = verdict if isinstance(verdict, Waits) else None

    async def _after_the_door(self) -> None:
        """Whoever waits for an answer goes first: a stored event can wait, a sender cannot. Never for long."""
        for _ in range(_COURTESIES):
            if not self._door_is_busy():
                return
            await asyncio.sleep(_COURTESY_S)

    async def _settle(self, row: Due, key: str | None) -> Verdict:
        try:
            return await self._router.settle(row, key)
        except _OUTSIDE:
            raise
        except Exception as error:
            log.exception("event_stumbled", id=row.id, type=row.type)
            return self._router.unforeseen(row, error)

    async def _mark(self, verdicts: list[tuple[Due, Verdict]]) -> None:
        if not verdicts:
            return
        async with self._database.transaction() as session:
            await events.mark(session, [_as_mark(row, verdict) for row, verdict in verdicts])
        for row, verdict in verdicts:
            log.debug("event_settled", id=row.id, type=row.type, fate=verdict.fate.value, reason=verdict.reason)
            if self._watcher:
                self._watcher.fate(verdict.fate.value)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[bool]:
        """One of the slots; False once this pass found Temporal away, so that the rest need not find out too."""
        async with self._slots:
            try:
                yield not self._away
            except (EngineUnreachable, TimeoutError):
                self._away = True
                raise

    async def _side_by_side(self, tasks: Iterable[Coroutine[None, None, None]]) -> None:
        """All of them; then the first trouble, if any, so that one invoice's trouble stops no other."""
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


def _as_mark(row: Due, verdict: Verdict) -> events.Mark:
    until = verdict.until if isinstance(verdict, Waits) else None
    return events.Mark(row.id, verdict.fate, verdict.reason, attempts=row.attempts + 1, next_attempt_at=until)
