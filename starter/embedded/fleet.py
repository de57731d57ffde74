"""`billhook worker --processes N`: worker processes side by side under one parent, which starts again what dies.

Workflow code is bound by the interpreter's lock, so a machine with several processors is used by several processes,
each with a runtime of its own. The parent does no work itself.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starter.embedded.part import Part, Probe
from starter.embedded.stack import python_command
from starter.embedded.supervisor import Say, Supervisor

BEAT_S: Final = 5.0
FRESH_S: Final = 60.0
# As in the health checks of docker-compose.yml and deploy/kubernetes: a busy machine is not a dead worker.
_STARTING_S: Final = 120.0
# Several processes import everything at once.
_GRACE_S: Final = 35.0
# A worker gives what is under way 30 s, and then has its connections to close.


def beats(file: Path) -> Probe:
    """Whether a worker's heart beats: it writes `file` every few seconds while it works."""

    async def probe() -> str:
        try:
            age = time.time() - (await asyncio.to_thread(file.stat)).st_mtime
        except OSError:
            return "it does not work yet"
        return "" if age < FRESH_S else f"it has not given a sign of life for {age:.0f} s"

    return probe


def parts(count: int, options: Sequence[str], folder: Path) -> list[Part]:
    """`count` workers, each with the command line's own `options` and a heart in `folder`."""
    return [_worker(number, options, folder / f"worker-{number}") for number in range(1, count + 1)]


def _worker(number: int, options: Sequence[str], heart: Path) -> Part:
    command = python_command("starter.cli", "worker", *options, "--health-file", str(heart))

    def forget() -> None:
        # A predecessor's sign of life is none of this one's.
        heart.unlink(missing_ok=True)

    return Part(f"worker {number}", command, beats(heart), patience_s=_STARTING_S, grace_s=_GRACE_S, prepare=forget)


async def run_fleet(count: int, options: Sequence[str], health_file: Path | None, say: Say) -> None:
    """Runs until cancelled; then every worker lets what is under way finish. Raises PartFailed if one cannot start."""
    with tempfile.TemporaryDirectory(prefix="billhook-workers-") as name:
        members = parts(count, options, Path(name))
        async with Supervisor(None, say, at_once=True) as supervisor:
            try:
                await asyncio.gather(*(supervisor.start(one) for one in members))
                say(f"{count} worker processes work")
                await asyncio.gather(supervisor.forever(), _beat(health_file, [one.probe for one in members]))
            finally:
                say("stopping")


async def _beat(file: Path | None, members: Sequence[Probe]) -> None:
    """The parent's own sign of life: given while every member gives one."""
    while file is not None:
        if not any([await probe() for probe in members]):
            await asyncio.to_thread(file.touch)
        await asyncio.sleep(BEAT_S)
