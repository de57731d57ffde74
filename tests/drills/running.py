"""Runs as processes: each in a group and a temporary directory of its own, both gone at the end, however it comes."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.drills.catalogue import Run
from tests.drills.report import DrillReport

Say = Callable[[str], None]
LONGEST_S: Final = 3600.0
# A drill that hangs is a finding, not an evening.
GRACE_S: Final = 15.0
TAIL: Final = 25
# Lines of a run that ended without a report: enough for a traceback's end.


async def report_of(run: Run, say: Say) -> DrillReport:
    """The run's own report, or one whose only violation says why there is none. `say` hears its progress."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"billhook-drill-{run.drill}-"))
    began = time.monotonic()
    try:
        trouble = await _played(run, folder, say)
        return await asyncio.to_thread(_read, run, folder / "report.json", trouble, time.monotonic() - began)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _played(run: Run, folder: Path, say: Say) -> str:
    """Empty once it ended well, else what went wrong."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.drills.child", run.drill, json.dumps(run.arguments), str(folder / "report.json"),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)}, process_group=0,
    )  # fmt: skip
    lines: deque[str] = deque(maxlen=TAIL)
    try:
        async with asyncio.timeout(LONGEST_S):
            await _listen(process, lines, say)
            code = await process.wait()
    except TimeoutError:
        return f"it did not end within {LONGEST_S:.0f} s; last words: {' | '.join(lines)}"
    finally:
        await _ended(process)
    return "" if code == 0 else f"it ended with code {code}: {' | '.join(lines)}"


async def _listen(process: asyncio.subprocess.Process, lines: deque[str], say: Say) -> None:
    assert process.stderr is not None
    async for raw in process.stderr:
        line = raw.decode(errors="replace").rstrip()
        if line:
            lines.append(line)
            say(line)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, so that it stops what it started; then its whole group."""
    _signal(process, signal.SIGTERM)
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), GRACE_S)
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _read(run: Run, path: Path, trouble: str, seconds: float) -> DrillReport:
    report = DrillReport(run.drill, [run.seed])
    if not trouble:
        try:
            report = DrillReport.from_json(path.read_text())
        except (OSError, ValueError, TypeError) as error:
            trouble = f"it left no report: {error}"
    if trouble:
        report.violations.append(trouble)
    report.seconds = report.seconds or seconds
    report.violations = [f"seed {run.seed}: {words} (again: {run.again})" for words in report.violations]
    return report
