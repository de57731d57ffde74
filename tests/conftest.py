"""What every folder of tests may ask for: the real Temporal server, one per test process, and a stack around it."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from starter.embedded.stack import DYNAMIC_CONFIG
from tests.quick import certificates_read_once
from tests.stack import Stack, running_stack
from workflows import visibility


def program(name: str) -> str:
    """A program of the same environment as this Python, whether or not the environment is activated."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; run make setup")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The drills go first: their waits are the longest, and at the end of a run nothing would be left beside them."""
    items.sort(key=lambda item: "drills" not in item.path.parts)


certificates = pytest.fixture(scope="session", autouse=True)(certificates_read_once)


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
