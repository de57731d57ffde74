"""One child of the stack: how it is started, how it is asked whether it is well, and one running process of it."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Probe = Callable[[], Awaitable[str]]
# Answers "" when the part is well, else what is wrong.

_LAUNCHER: Final = str(Path(__file__).with_name("launch.py"))
_PROBE_PAUSE_S: Final = 0.05


@dataclass(frozen=True)
class Part:
    """`env` is laid over the supervisor's own environment; `prepare` is called before each start. Seconds."""

    name: str
    command: tuple[str, ...]
    probe: Probe
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience_s: float = 30.0
    grace_s: float = 8.0
    prepare: Callable[[], None] = lambda: None


class Process:
    """One running process of a part; it dies with the supervisor."""

    def __init__(self, part: Part, process: asyncio.subprocess.Process) -> None:
        self.part = part
        self._process = process

    @classmethod
    async def spawn(cls, part: Part, log: Path | None) -> "Process":
        """Start the part in a process group of its own. Its output is appended to `log`; None: it goes where ours goes.

        Raises OSError.
        """
        part.prepare()
        with log.open("ab") if log else nullcontext() as output:
            # Its own group: Ctrl-C then reaches the supervisor alone, which stops the parts in order.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), *part.command,
                stdin=asyncio.subprocess.DEVNULL if sys.platform == "linux" else asyncio.subprocess.PIPE,
                stdout=output, stderr=output, env={**os.environ, **part.env}, process_group=0,
            )  # fmt: skip
        return cls(part, process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        return await self._process.wait()

    async def healthy(self) -> str:
        """Wait until the part is well: "". Else what was wrong when it ended or patience did."""
        loop = asyncio.get_running_loop()
        until, wrong = loop.time() + self.part.patience_s, "it gave no answer"
        while loop.time() < until:
            if self._process.returncode is not None:
                return f"it ended with code {self._process.returncode}"
            wrong = await self.part.probe()
            if not wrong:
                return ""
            await asyncio.sleep(_PROBE_PAUSE_S)
        return wrong

    async def stop(self) -> None:
        """SIGTERM, a bounded wait, then SIGKILL to its whole group."""
        self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), self.part.grace_s)
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for a person who must learn why a part did not start."""
    with suppress(OSError), log.open(errors="replace") as text:
        return "".join(deque(text, lines)).rstrip()
    return ""
