"""One run of one drill, as a process of its own: `python -m tests.drills.child NAME ARGUMENTS REPORT`.

Its report goes to a file, its progress to standard error, a line each. SIGTERM ends it as cancelled, so that whatever
it started is stopped; what it started and could not stop dies with it (starter/embedded/launch.py).
"""

import asyncio
import inspect
import json
import logging
import sys
from pathlib import Path

from starter import logs
from starter.embedded.up import run_until_signal
from tests.drills.catalogue import DRILLS, called
from tests.drills.report import DrillReport


async def _work(name: str, arguments: str, target: Path) -> int:
    # As the real processes log: a line for each of fifty thousand events would be most of the work.
    logs.configure("text")
    # Attempts fail by the hundred, since that is what a drill is for; a traceback of each would drown its progress.
    logging.getLogger("temporalio.activity").setLevel(logging.ERROR)
    drill = next(drill for drill in DRILLS if drill.name == name)
    found = await asyncio.to_thread(called, drill, json.loads(arguments))
    report: DrillReport = await found if inspect.isawaitable(found) else found
    await asyncio.to_thread(target.write_text, report.to_json())
    return 0


if __name__ == "__main__":
    sys.exit(run_until_signal(_work(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
