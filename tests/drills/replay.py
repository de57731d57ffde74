"""Replay: every recorded history runs through today's workflows and must give the commands that it gave then.

Through the runner of production and through the SDK's sandbox, since the two load workflow code differently. Long
version and short are the same: `drill()`; test_replay.py names each history.
"""

import sys
import time
from pathlib import Path
from typing import Final

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner

import worker
from tests.drills.report import DrillReport
from tests.histories import history

RUNNERS: Final = {"production": UnsandboxedWorkflowRunner, "sandbox": worker.sandboxed}


async def replayed(path: Path, runner: WorkflowRunner) -> None:
    """Raises what the SDK says of a history that today's workflow would not have made."""
    replayer = Replayer(
        workflows=worker.WORKFLOWS,
        data_converter=pydantic_data_converter,
        workflow_runner=runner,
        build_id=worker.BUILD_ID,
    )
    await replayer.replay_workflow(history.read(path))


async def drill(*, seed: int = 1) -> DrillReport:
    """Nothing is drawn: `seed` only names the run."""
    report, began = DrillReport("replay", [seed]), time.monotonic()
    for path in history.paths():
        for name, runner in RUNNERS.items():
            try:
                await replayed(path, runner())
            except Exception as error:  # noqa: BLE001 - whatever it says is the finding
                report.violations.append(f"{path.stem} ({name}): {error}")
        sys.stderr.write(f"replay: {path.stem}\n")
    report.facts["histories"] = str(len(history.paths()))
    report.seconds = time.monotonic() - began
    return report
