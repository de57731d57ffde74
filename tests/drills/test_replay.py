"""What runs in production for weeks goes on after an upgrade: every recorded history replays on today's workflows."""

import json
import os
import re
import socket
from pathlib import Path

import pytest
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

import worker
from activities import signatures
from billing.record import Status
from tests.drills.crash import activity_names
from tests.drills.replay import RUNNERS, replayed
from tests.histories import history
from tests.paths.walks import WALKS
from workflows.invoice import InvoiceWorkflow

_PATHS = {path.stem: path for path in history.paths()}
_CLOSED = "workflowExecutionCompletedEventAttributes"
_CONTINUED = "workflowExecutionContinuedAsNewEventAttributes"


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", _PATHS)
async def test_a_recorded_history_replays_on_todays_workflow(name: str, runner: str) -> None:
    await replayed(_PATHS[name], RUNNERS[runner]())


async def test_another_order_of_steps_does_not_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above can fail: assessing before drafting gives other commands than the recorded ones."""
    draft, assess = InvoiceWorkflow._draft, InvoiceWorkflow._assess  # noqa: SLF001
    monkeypatch.setattr(InvoiceWorkflow, "_draft", assess)
    monkeypatch.setattr(InvoiceWorkflow, "_assess", draft)
    with pytest.raises(NondeterminismError):
        await replayed(_PATHS["automatic"], UnsandboxedWorkflowRunner())


def test_every_path_is_recorded() -> None:
    """A walk without a history, or a history without a walk: `make histories`."""
    assert set(WALKS) <= set(_PATHS)
    assert [name for name in _PATHS if re.split("-", name)[0] not in WALKS] == []


def test_every_workflow_is_recorded() -> None:
    recorded = {_started(path)["workflowType"]["name"] for path in _PATHS.values()}
    assert recorded == {workflow.__name__ for workflow in worker.WORKFLOWS}


def test_every_status_and_every_activity_is_in_some_history() -> None:
    told = "\n".join(history.texts(path) for path in _PATHS.values())
    assert [status for status in Status if f'"status":"{status}"' not in told] == []
    assert activity_names() >= {signatures.ISSUE.name}
    assert [name for name in sorted(activity_names()) if not re.search(rf"\b{name}\b", told)] == []


@pytest.mark.parametrize("name", _PATHS)
def test_a_history_is_whole_and_tells_nothing_of_the_machine(name: str) -> None:
    """Ended, or left behind by a continue-as-new; no path, host, process or address of where it was recorded."""
    last = json.loads(_PATHS[name].read_text())["events"][-1]
    assert _CLOSED in last or _CONTINUED in last
    told = history.texts(_PATHS[name])
    private = [str(Path.cwd()), f"{Path.home()}{os.sep}", "site-packages", f"@{socket.gethostname()}", "127.0.0.1"]
    assert [words for words in private if words in told] == []
    assert not re.search(r"\d+@\w+-[0-9a-f]{32}", told)


def _started(path: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(path.read_text())["events"][0][
        "workflowExecutionStartedEventAttributes"
    ]
    return found
