"""`billhook worker --processes N`: real processes on a real Temporal server, each of which may die and comes back."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from starter.embedded.fleet import beats
from starter.embedded.stack import temporal_binary
from tests.stack import assert_eventually

STARTING_S = 90.0


@dataclass
class Fleet:
    """The parent's process, and what it and its workers said."""

    parent: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)

    async def hear(self) -> None:
        assert self.parent.stderr is not None
        async for line in self.parent.stderr:
            self.said.append(line.decode().rstrip())

    async def until_said(self, words: str) -> None:
        async def look() -> bool:
            assert self.parent.returncode is None or any(words in line for line in self.said), self.said
            return any(words in line for line in self.said)

        try:
            await assert_eventually(look, STARTING_S)
        except AssertionError:
            raise AssertionError(self.said) from None

    async def children(self) -> set[int]:
        found = Path(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children")
        return {int(pid) for pid in (await asyncio.to_thread(found.read_text)).split()}


@asynccontextmanager
async def fleet(count: int, env: dict[str, str], *options: str) -> AsyncIterator[Fleet]:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starter.cli", "worker", "--processes", str(count), *options,
        env={"PATH": os.environ["PATH"], **env}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    found = Fleet(parent)
    hearing = asyncio.create_task(found.hear())
    try:
        yield found
    finally:
        if parent.returncode is None:
            parent.terminate()
        await parent.wait()
        await hearing


@pytest.fixture
async def own_temporal() -> AsyncIterator[str]:
    """Not the one that tests share: workers apply schedules, whose names are the same on every queue."""
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=temporal_binary()) as server:
        yield server.client.service_client.config.target_host


@pytest.mark.skipif(sys.platform != "linux", reason="whose children they are is read from /proc")
async def test_a_worker_that_is_killed_is_started_again_and_said_so_and_sigterm_stops_all(
    own_temporal: str, tmp_path: Path
) -> None:
    health = tmp_path / "health"
    env = {
        "BILLHOOK_DATA_DIR": str(tmp_path),
        "BILLHOOK_JUPITER_URL": "http://127.0.0.1:1",
        "BILLHOOK_JUPITER_API_KEY": "jk_test",
        "TEMPORAL_ADDRESS": own_temporal,
    }
    async with fleet(2, env, "--queue", "mail", "--health-file", str(health)) as found:
        await found.until_said("2 worker processes work")

        async def is_well() -> bool:
            return not await beats(health)()

        await assert_eventually(is_well)
        before = await found.children()
        assert len(before) == 2
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        await found.until_said("ended with code -9; starting it again in 0.5 s")
        await found.until_said("is back")
        after = await found.children()
        assert before - after == {killed}
        assert len(after) == 2
        found.parent.terminate()
        assert await found.parent.wait() == 0
    assert not [pid for pid in after if _runs(pid)]
    assert found.said[-1] == "stopping"


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_workers_that_cannot_start_end_the_command_with_what_they_said(tmp_path: Path) -> None:
    env = {"BILLHOOK_DATA_DIR": str(tmp_path), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    async with fleet(2, env) as found:
        assert await asyncio.wait_for(found.parent.wait(), STARTING_S) == 1
    told = "\n".join(found.said)
    assert "Temporal does not answer" in told
    assert "did not start: it ended with code 3" in told
