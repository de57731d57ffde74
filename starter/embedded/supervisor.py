"""Starts parts in order, starts again what dies, stops all in reverse order, or at once where they are alike.

Knows commands and health checks, and nothing of Billhook.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from starter.embedded.errors import PartFailed
from starter.embedded.part import Part, Process, tail

Say = Callable[[str], None]

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_STEADY_S: Final = 60.0
# A part that ran this long had no trouble starting: its next pause is the first again.


class Supervisor:
    """`async with Supervisor(logs, say) as supervisor`: leaving the block stops every part.

    Without `logs` the parts talk where the supervisor does. `at_once`: no part needs another while it stops.
    """

    def __init__(
        self, logs: Path | None, say: Say, *, first_pause_s: float = _FIRST_PAUSE_S, at_once: bool = False
    ) -> None:
        self._logs, self._at_once = logs, at_once
        self._say = say
        self._first_pause_s = first_pause_s
        self._running: dict[str, Process] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        if self._logs is not None:
            self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def log_of(self, part: Part) -> Path | None:
        return self._logs / f"{part.name}.log" if self._logs is not None else None

    def pid_of(self, name: str) -> int:
        """The present process of a part. Raises KeyError while it is down."""
        return self._running[name].pid

    async def start(self, part: Part) -> None:
        """Returns when the part is well. Raises PartFailed with the end of its log."""
        log = self.log_of(part)
        process = await self._spawn(part)
        wrong = await process.healthy()
        if wrong:
            raise PartFailed(part.name, wrong, log, tail(log) if log else "")
        self._watchers[part.name] = asyncio.create_task(self._watch(part, process), name=f"watch {part.name}")

    async def _spawn(self, part: Part) -> Process:
        process = await Process.spawn(part, self.log_of(part))
        self._running[part.name] = process
        return process

    async def _watch(self, part: Part, process: Process) -> None:
        clock, pause = asyncio.get_running_loop().time, self._first_pause_s
        while True:
            started = clock()
            code = await process.ended()
            del self._running[part.name]
            pause = self._first_pause_s if clock() - started > _STEADY_S else pause
            log = self.log_of(part)
            where = f" ({log})" if log else ""
            self._say(f"{part.name} ended with code {code}; starting it again in {pause:g} s{where}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
            process = await self._spawn(part)
            wrong = await process.healthy()
            self._say(f"{part.name} is not well: {wrong}" if wrong else f"{part.name} is back")

    async def forever(self) -> None:
        """Wait until cancelled; an error of the supervisor itself comes out."""
        await asyncio.gather(*self._watchers.values())

    async def stop(self) -> None:
        """Stop every part, the last started first or all at once; each within its grace."""
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)
        self._watchers.clear()
        if self._at_once:
            await asyncio.gather(*(process.stop() for process in self._running.values()))
            self._running.clear()
        while self._running:
            _, process = self._running.popitem()
            await process.stop()
