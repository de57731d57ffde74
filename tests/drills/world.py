"""A whole Billhook in a directory, with a Temporal server of its own that can be killed, and copies of the directory.

Everything that a world knows lies in its directory: our records, the sandbox's file, the journal and the Temporal
server's database. Stopped and copied, it is two worlds that are equal to the last byte and can be led apart.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from temporalio.worker import UnsandboxedWorkflowRunner

from starter.embedded import credentials
from starter.embedded.part import Part, Process
from starter.embedded.ports import HOST, Ports
from starter.embedded.stack import Outside
from starter.embedded.stack import Stack as Embedded
from tests.stack import API_KEY, WEBHOOK_SECRET, Stack, running_stack

TASK_QUEUE: Final = "billhook-drill"
# The same in every copy: the workflows in it wait on this queue.
_AS_IN_PRODUCTION: Final = {"workflow_runner": UnsandboxedWorkflowRunner()}


class Engine:
    """The Temporal dev server of one directory, as a process that may be killed and started again on its file."""

    def __init__(self, folder: Path) -> None:
        ports = Ports.free()
        secrets = {credentials.API_KEY: API_KEY, credentials.WEBHOOK_SECRETS: WEBHOOK_SECRET}
        embedded = Embedded(folder, ports, Outside(), secrets)
        self._part: Part = next(part for part in embedded.parts() if part.name == "temporal")
        self._log = folder / "temporal.log"
        self._process: Process | None = None
        self.address = f"{HOST}:{ports.temporal}"

    async def start(self) -> None:
        """Returns when it serves."""
        self._process = await Process.spawn(self._part, self._log)
        wrong = await self._process.healthy()
        if wrong:
            raise RuntimeError(f"the Temporal server did not start: {wrong}")

    async def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does. No other way of stopping it is needed: its file survives it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.ended()
            self._process = None


@asynccontextmanager
async def world(folder: Path, **changes: Any) -> AsyncIterator[tuple[Stack, Engine]]:
    """The world in `folder`, running; the folder may be a new one or one that a world ran in before."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    engine = Engine(folder)
    try:
        await engine.start()
        async with running_stack(
            engine.address, folder, task_queue=TASK_QUEUE, worker_options=_AS_IN_PRODUCTION, **changes
        ) as stack:
            yield stack, engine
    finally:
        await engine.kill()


async def copied(source: Path, target: Path) -> Path:
    """Another world like that in `source`, which must not be running."""
    return Path(await asyncio.to_thread(shutil.copytree, source, target))
