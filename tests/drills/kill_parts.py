"""The parts of the real embedded stack as processes that die and come back: who keeps them, and who kills them.

`billhook up` starts a part again by a pause that doubles, which is right for a part that cannot stand and too slow for
one that is killed every few seconds for minutes; so the drill keeps the same parts itself, on the same data directory.
"""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from starter.embedded import credentials
from starter.embedded.part import Part, Process, tail
from starter.embedded.ports import Ports
from starter.embedded.stack import Outside, Stack
from starter.embedded.tokens import prepare_records
from tests.stack import assert_eventually

VICTIMS: Final = ("worker", "api", "sandbox", "temporal")
PATIENCE_S: Final = 120.0
# Until a part is well: several that start at once on two busy cores take their time.
_AGAIN_S: Final = 0.2
# Before a part that ended by itself is started again: a worker ends when Temporal is not there yet.


class Keeper:
    """One part that is started again whenever it ends. `down_s` is how long it stays down after the next kill."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part = part
        self.log = log
        self.down_s = 0.0
        self.killed = self.ended_itself = 0
        self._process: Process | None = None
        self._was_killed = False

    async def keep(self) -> None:
        """Until cancelled; then stops it."""
        try:
            while True:
                self._process = await Process.spawn(self.part, self.log)
                await self._process.ended()
                await asyncio.sleep(self._noted())
        finally:
            if self._process is not None:
                await self._process.stop()

    def _noted(self) -> float:
        if self._was_killed:
            self._was_killed = False
            return self.down_s
        self.ended_itself += 1
        return _AGAIN_S

    def kill(self, down_s: float) -> bool:
        """SIGKILL to its whole group, wherever it is in its work. False if it is down at the moment."""
        if self._process is None or not self._process.is_running:
            return False
        self.down_s, self._was_killed = down_s, True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.killed += 1
        return True

    async def well(self) -> None:
        """Returns when it answers as a healthy part does, however often it has to be started."""

        async def is_well() -> bool:
            return not await self.part.probe()

        try:
            await assert_eventually(is_well, PATIENCE_S)
        except AssertionError:
            words = f"{self.part.name} does not come back: {await self.part.probe()}\n{tail(self.log)}"
            raise RuntimeError(words) from None


@dataclass(frozen=True)
class Killable:
    """The running stack; `keepers` by name."""

    stack: Stack
    keepers: dict[str, Keeper]

    @property
    def kills(self) -> Counter[str]:
        return Counter({f"{name} killed": keeper.killed for name, keeper in self.keepers.items() if keeper.killed})

    async def well(self) -> None:
        """Returns when every part is well."""
        for keeper in self.keepers.values():
            await keeper.well()


@asynccontextmanager
async def killable(folder: Path, parts: Callable[[Stack], list[Part]] = Stack.parts) -> AsyncIterator[Killable]:
    """Temporal, sandbox, mail sink, worker and API on free ports, or other `parts`; all well as the block begins."""
    made = await asyncio.to_thread(credentials.ensure, folder)
    stack = Stack(folder, Ports.free(), Outside(), made)
    stack = replace(stack, secrets={**made, credentials.TOKEN: await prepare_records(stack)})
    keepers = {part.name: Keeper(part, folder / f"{part.name}.log") for part in parts(stack)}
    async with AsyncExitStack() as around:
        for keeper in keepers.values():
            task = asyncio.create_task(keeper.keep(), name=f"keep {keeper.part.name}")
            around.push_async_callback(_cancelled, task)
            if keeper.part.name == "temporal":
                # The others need it when they start, and nothing of each other.
                await keeper.well()
        running = Killable(stack, keepers)
        await running.well()
        yield running


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True)
class Killing:
    """For how long, who may die, and the longest pause between two deaths."""

    seconds: float
    victims: Sequence[str] = VICTIMS
    every_s: float = 6.0


async def kill_at_random(killable: Killable, killing: Killing, draw: random.Random) -> None:
    """One part, or two or three at once, at random moments, down for a moment or for up to three seconds.

    The first dies at once, so that even a short time sees one.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + killing.seconds
    deck: list[str] = []
    while (left := until - loop.time()) > 0:
        for _ in range(draw.choice([1, 1, 1, 2, 2, 3])):
            # From a shuffled deck: each dies as often as the others, however short the time.
            deck = deck or draw.sample(killing.victims, len(killing.victims))
            killable.keepers[deck.pop()].kill(draw.choice([0.0, 0.5, 3.0]))
        await asyncio.sleep(min(left, draw.uniform(killing.every_s / 6, killing.every_s)))
    sys.stderr.write(f"kill: {sum(killable.kills.values())} kills in {killing.seconds:.0f} s\n")
