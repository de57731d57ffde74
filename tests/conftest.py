"""What every folder of tests may ask for: the real Temporal server, one per test process, and a stack around it."""

import asyncio
import gc
import shutil
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from temporalio.testing import WorkflowEnvironment

from starter.embedded.stack import DYNAMIC_CONFIG
from tests.quick import certificates_read_once, tracebacks_in_plain_text
from tests.stack import Stack, running_stack
from workflows import visibility

_ANY: Final = "any other"
_ORDER: Final = (
    "drills", "test_run_killed.py", "deploy", "test_cli_workers.py", "workflows", "console", _ANY, "billing",
)  # fmt: skip
# Folders and files, by how long one of their tests may last: tens of seconds first, milliseconds last.


def program(name: str) -> str:
    """A program of the same environment as this Python, whether or not the environment is activated."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; run make setup")
    return found


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than there are cores: a third of a test's time is waiting, for other processes and for timers."""
    return (yield) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest go first: at the end of a run nothing would be left beside them."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next((place for place, name in enumerate(_ORDER) if name in item.path.parts), _ORDER.index(_ANY))


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: looking through it for garbage was a fifth of what a stack costs."""
    gc.collect()
    gc.freeze()


certificates = pytest.fixture(scope="session", autouse=True)(certificates_read_once)
tracebacks = pytest.fixture(scope="session", autouse=True)(tracebacks_in_plain_text)


@pytest.fixture(scope="session")
def temporal_address() -> Iterator[str]:
    """The address of a real dev server that lives as long as this test process."""
    with asyncio.Runner() as runner:
        server = runner.run(
            WorkflowEnvironment.start_local(
                dev_server_existing_path=program("temporal"),
                search_attributes=visibility.ALL,
                dev_server_extra_args=[
                    word
                    for name, value in DYNAMIC_CONFIG.items()
                    for word in ("--dynamic-config-value", f"{name}={value}")
                ],
            )
        )
        yield server.client.service_client.config.target_host
        runner.run(server.shutdown())


@pytest.fixture
async def stack(temporal_address: str, tmp_path: Path) -> AsyncIterator[Stack]:
    """Sandbox, mail server, records, API and worker, all real, on free ports and a queue of their own."""
    async with running_stack(temporal_address, tmp_path) as running:
        yield running
