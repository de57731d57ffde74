"""A worker process that kills itself with SIGKILL at one named point of one activity, and is then started anew.

The production worker with the production timeouts; what is added stands around the activities (two interceptors) and
around the outside systems' clients (one wrapper), so that a death can fall between an effect and whatever would have
been noted of it. A killed process reports nothing, shuts nothing down and loses its cache, which no cancelled task in
this process would show. It is forked from a server that has imported everything, so a restart takes milliseconds.
"""

import asyncio
import dataclasses
import logging
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

import worker
from activities import signatures
from activities.recording import RecordingInterceptor
from settings import Settings
from workflows import options

_READS: Final = frozenset({"get", "find", "page"})
# No effect outside: only of the step that is nothing but a reading is this the call that matters.
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_PRELOADED: Final = [__name__, "tests.drills.catalogue", "starter.embedded.up"]
# The others are what the main module of a drill's process imports; a forked process imports that one again.


class Point(StrEnum):
    """Where in an activity's course: nothing done; our record saved; the effect taken; all done but not reported."""

    BEFORE = "before"
    RECORDED = "recorded"
    EFFECT = "effect"
    DONE = "done"


@dataclass(frozen=True, order=True)
class Death:
    """The `nth` execution (from 1) of `activity` is the worker's last, at `point`."""

    activity: str
    nth: int
    point: Point

    def __str__(self) -> str:
        return f"{self.activity} {self.nth} {self.point.value}"

    @classmethod
    def read(cls, line: str) -> "Death":
        name, nth, point = line.split()
        return cls(name, int(nth), Point(point))


@dataclass(frozen=True)
class Orders:
    """What a worker process is told. Files in `folder` outlive it: the death to die, and every point passed so far.

    `patience` is how long the engine waits for an activity before it takes the worker for dead; None leaves the
    product's own. `cached` is the number of workflows held between tasks.
    """

    settings: Settings
    temporal: str
    folder: Path
    cached: int = worker.CACHED_WORKFLOWS
    patience: timedelta | None = None

    @property
    def _death(self) -> Path:
        return self.folder / "death"

    @property
    def _passed(self) -> Path:
        return self.folder / "passed"

    def arm(self, death: Death) -> None:
        self._death.write_text(str(death))

    def armed(self) -> Death | None:
        """None too once it was died."""
        return Death.read(self._death.read_text()) if self._death.exists() else None

    def die(self) -> None:
        self._death.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

    def note(self, passed: Death) -> None:
        with self._passed.open("a") as log:
            log.write(f"{passed}\n")

    def passed(self) -> set[Death]:
        """Every point at which the worker could have died."""
        return {Death.read(line) for line in self._passed.read_text().splitlines()} if self._passed.exists() else set()


class _Reaper:
    """Notes the points that are passed and kills at the ordered one. First attempts only: what follows is the cure."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._counts: Counter[str] = Counter()
        self._under_way: dict[tuple[str, str], int] = {}

    def begins(self) -> None:
        info = activity.info()
        if info.attempt == 1:
            self._counts[info.activity_type] += 1
            self._under_way[info.workflow_run_id or "", info.activity_id] = self._counts[info.activity_type]

    def reached(self, point: Point) -> None:
        info = activity.info()
        nth = self._under_way.get((info.workflow_run_id or "", info.activity_id))
        if info.attempt > 1 or nth is None:
            return
        here = Death(info.activity_type, nth, point)
        self._orders.note(here)
        if self._orders.armed() == here:
            self._orders.die()


class _Outermost(Interceptor):
    def __init__(self, reaper: _Reaper) -> None:
        self._reaper = reaper

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Around(next, self._reaper)


class _Around(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, reaper: _Reaper) -> None:
        super().__init__(following)
        self._reaper = reaper

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        self._reaper.begins()
        self._reaper.reached(Point.BEFORE)
        answer = await super().execute_activity(input)
        self._reaper.reached(Point.DONE)
        return answer


class _Innermost(Interceptor):
    def __init__(self, reaper: _Reaper) -> None:
        self._reaper = reaper

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Within(next, self._reaper)


class _Within(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, reaper: _Reaper) -> None:
        super().__init__(following)
        self._reaper = reaper

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        self._reaper.reached(Point.RECORDED)
        return await super().execute_activity(input)


class _Outside:
    """An outside system's client, whose every answered call is a point to die at."""

    def __init__(self, system: Any, reaper: _Reaper) -> None:
        self._system, self._reaper = system, reaper

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._system, name)

        async def called(*args: Any, **kwargs: Any) -> Any:
            answer = await call(*args, **kwargs)
            if name not in _READS or activity.info().activity_type == signatures.READ_LOCKED.name:
                self._reaper.reached(Point.EFFECT)
            return answer

        return called


async def _work(orders: Orders, leash: Connection) -> None:
    """Until it dies, or whoever started it lets go of the leash."""
    client = await Client.connect(orders.temporal, data_converter=pydantic_data_converter)
    reaper = _Reaper(orders)
    let_go = asyncio.Event()
    asyncio.get_running_loop().add_reader(leash.fileno(), let_go.set)
    async with worker.parts_of(orders.settings) as parts:
        outside: dict[str, Any] = {
            name: _Outside(getattr(parts, name), reaper) for name in ("invoicing", "mailer", "crm", "accounting")
        }
        around = [_Outermost(reaper), RecordingInterceptor(parts.database), _Innermost(reaper)]
        async with worker.build_worker(
            client,
            dataclasses.replace(parts, **outside),
            orders.settings.task_queue,
            interceptors=around,
            max_cached_workflows=orders.cached,
            graceful_shutdown_timeout=timedelta(0),
        ):
            await let_go.wait()


def _main(orders: Orders, leash: Connection) -> None:
    # Refusals that a walk is about are no news here.
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    if orders.patience is not None:
        for named in (options.OUTSIDE, options.COURTESY, options.RECORDS):
            named["start_to_close_timeout"] = orders.patience
        options.RUN["heartbeat_timeout"] = orders.patience
    asyncio.run(_work(orders, leash))


@dataclass
class Watch:
    """How the processes of one worker ended so far, by exit code."""

    exits: list[int] = field(default_factory=list)


@asynccontextmanager
async def kept_alive(orders: Orders) -> AsyncIterator[Watch]:
    """A worker process at all times: whenever it dies, the next one is started."""
    _CONTEXT.set_forkserver_preload(_PRELOADED)
    watch = Watch()
    process, leash = await asyncio.to_thread(_started, orders)

    async def keep() -> None:
        nonlocal process, leash
        while True:
            await _gone(process)
            watch.exits.append(process.exitcode or 0)
            leash.close()
            process, leash = await asyncio.to_thread(_started, orders)

    keeper = asyncio.create_task(keep())
    try:
        yield watch
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        leash.close()
        process.kill()
        await _gone(process)


def _started(orders: Orders) -> tuple[ForkServerProcess, Connection]:
    theirs, ours = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_main, args=(orders, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


async def _gone(process: ForkServerProcess) -> None:
    """Without a thread that waits: many are watched at once."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process.sentinel, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()
