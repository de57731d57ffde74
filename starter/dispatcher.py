"""From stored events to signalled workflows: the second half of the door, and what heals a crash between the halves.

One background task in the API process. Intake wakes it at once; besides, it sweeps at its start and every few seconds,
which also starts the workflows of intents that were registered while Temporal was away. Several API processes do this
at once: an invoice's events are delivered by whoever has claimed it, and starts are deduplicated by key.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError

from billing.intent import Intent
from billing.mappings import System
from records import events, intents
from records.session import Database
from starter import client as temporal
from starter.claiming import LEASE_S, RENEW_S
from starter.client import Engine, EngineUnreachable
from starter.delivery import Delivery, Turns, Watcher
from starter.routing import Router
from starter.vendors.calls import Vendor
from starter.vendors.settling import VendorRouter

SWEEP_S: Final = 3.0
# How long a crash or a lost wake-up can delay an event.
BATCH: Final = 200
# Bounds what is under way; what is left over is the next pass, at once.
PATIENCE_S: Final = 0.5
# A pass waits so long for the slowest invoice; then the next goes on without that one.
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 5, 15, 60, 300, 900, 1800, 3600))
# An event may overtake our own trigger by seconds, or come before somebody imports the invoice; after two hours a
# person has to look.

_OUTSIDE: Final = (EngineUnreachable, SQLAlchemyError, OSError)
# Trouble that is not the event's: it is met again at the next sweep.

log = structlog.get_logger(__name__)


class Dispatcher:
    """`start` and `stop` belong to the application's lifespan; `wake` is for whoever stored something."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        task_queue: str,
        *,
        watcher: Watcher | None = None,
        door_is_late: Callable[[], bool] = lambda: False,
        sweep_s: float = SWEEP_S,
        pauses: tuple[timedelta, ...] = PAUSES,
        vendors: Mapping[System, Vendor] | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._database, self._engine, self._task_queue = database, engine, task_queue
        self._turns = Turns(engine)
        router = Router(database, engine, task_queue, pauses)
        self._delivery = Delivery(
            database, self._turns, router,
            watcher=watcher, door_is_late=door_is_late, when_free=self.wake, lease_s=lease_s,
        )  # fmt: skip
        # With turns of their own: a CRM that takes seconds to answer holds up no invoice's event.
        self._notice_turns = Turns(engine)
        notices = VendorRouter(database, engine, task_queue, vendors or {}, self, pauses=pauses)
        self._notices = Delivery(
            database, self._notice_turns, notices,
            watcher=watcher, door_is_late=door_is_late, when_free=self.wake, lease_s=lease_s,
        )  # fmt: skip
        self._watcher = watcher
        self._sweep_s = sweep_s
        self._news = asyncio.Event()
        self._held: set[str] = set()
        self._started: set[str] = set()
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renew_s = lease_s * RENEW_S / LEASE_S

    def start(self) -> None:
        """Begin with what an earlier process left."""
        self._is_stopping = False
        self._task = asyncio.create_task(self._run(), name="dispatcher")
        self._renewing = asyncio.create_task(self._renew(), name="dispatcher's claims")

    async def stop(self) -> None:
        """Whatever is under way after a moment stays pending and is taken up by the next start.

        The moment is for the database: a connection whose opening is cancelled is left open behind us.
        """
        self._is_stopping = True
        self._news.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._delivery.stop()
        await self._notices.stop()
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def under_way(self) -> int:
        """Events that were taken up and are not settled yet."""
        return self._delivery.count + self._notices.count

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
        while not self._is_stopping:
            self._news.clear()
            more = await self._guarded_pass(sweep=loop.time() >= sweep_at)
            if loop.time() >= sweep_at:
                sweep_at = loop.time() + self._sweep_s
            if not more and not self._is_stopping:
                await self._rest(max(0.0, sweep_at - loop.time()))

    async def _renew(self) -> None:
        """A task of its own: no pass, however long it takes, may cost us what is under way."""
        while True:
            await asyncio.sleep(self._renew_s)
            try:
                await self._delivery.claims.renew()
                await self._notices.claims.renew()
            except (SQLAlchemyError, OSError) as error:
                log.warning("claims_not_renewed", cause=str(error)[:200])

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _guarded_pass(self, *, sweep: bool) -> bool:
        """One pass; True if there is more to do at once. Trouble outside is met again at the next sweep."""
        try:
            return await self.pass_once(sweep=sweep, patience_s=PATIENCE_S)
        except _OUTSIDE as error:
            log.warning("dispatch_postponed", kind=type(error).__name__, cause=str(error)[:200])
        except Exception:
            # The loop must outlive any mistake of ours.
            log.exception("dispatch_failed")
        await asyncio.sleep(min(1.0, self._sweep_s))
        return False

    async def pass_once(self, *, sweep: bool = True, patience_s: float | None = None) -> bool:
        """Mark what runs, start what does not (when sweeping), deliver what is due. True if some of it set out.

        What is not delivered within `patience_s` goes on by itself, and later passes leave its invoice alone.
        """
        await self._turns.retry()
        await self._notice_turns.retry()
        await self._mark_started()
        if sweep:
            await self._start_registered()
        due, notices = await self._due(self._delivery), await self._due(self._notices, notices=True)
        if self._watcher:
            self._watcher.waiting(len(due) + len(notices))
        began = [await self._delivery.begin(due), await self._notices.begin(notices)]
        await self._delivery.finished(patience_s)
        await self._notices.finished(patience_s)
        return any(began)

    async def _due(self, delivery: Delivery, *, notices: bool = False) -> list[events.Due]:
        most = BATCH - delivery.count
        if most <= 0:
            return []
        async with self._database.session() as session:
            return await events.pending(
                session, most, datetime.now(UTC),
                without=delivery.lanes, notices=notices, holder=delivery.claims.holder,
            )  # fmt: skip

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
        starts = (self._start(intent) for intent in waiting if intent.key not in self._held)
        results = await asyncio.gather(*starts, return_exceptions=True)
        await self._mark_started()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _start(self, intent: Intent) -> None:
        async with self._turns.one() as is_on:
            if not is_on:
                return
            try:
                created = await temporal.start_invoice(await self._engine.client(), intent, self._task_queue)
            except (EngineUnreachable, RPCError) as error:
                if isinstance(error, EngineUnreachable) and await self._turns.is_away():
                    raise
                # Tried again at the next sweep; nobody else's start or events wait for it.
                log.warning("start_postponed", key=intent.key, cause=str(error)[:200])
                return
            self._turns.went_well()
        self._started.add(intent.key)
        log.info("started_by_sweep", key=intent.key, created=created)
