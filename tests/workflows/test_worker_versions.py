"""Two versions of the workers at once: what began on the old one ends there, or moves on where it rests.

The commands are those of docs/upgrading.md, by Temporal's own command line, on the real server.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from starter.embedded.stack import temporal_binary
from tests.stack import Stack, assert_eventually, running_stack
from tests.workflows.running import working

DOC = (Path(__file__).parents[2] / "docs" / "upgrading.md").read_text(encoding="utf-8")


@pytest.fixture
async def office(temporal_address: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with running_stack(temporal_address, tmp_path, worker_options=None) as running:
        await running.customer()
        yield running


def documented(stack: Stack, begins: str, **changes: str) -> list[str]:
    """The words of one command of the document, with this test's names for the document's."""
    (line,) = {one.strip() for one in re.findall(r"^ {0,4}(temporal .*)$", DOC, re.MULTILINE) if begins in one}
    for there, here in {"billhook": stack.settings.task_queue, **changes}.items():
        line = line.replace(there, here)
    return [word.strip("'") for word in re.findall(r"'[^']*'|\S+", line)][1:]


async def temporal(stack: Stack, words: list[str]) -> tuple[int, str]:
    address = stack.client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        temporal_binary(), *words, "--address", address,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def done(stack: Stack, words: list[str]) -> None:
    """The command succeeds, once the server has heard of the version's workers on every queue."""

    async def once() -> bool:
        code, said.text = await temporal(stack, words)
        return code == 0

    said = _Said()
    try:
        await assert_eventually(once)
    except AssertionError:
        raise AssertionError(said.text) from None


class _Said:
    text = ""


def version(stack: Stack, name: str) -> Any:
    """A worker process with every queue, of that version."""
    settings = stack.settings.model_copy(update={"worker_version": name})
    return working(replace(stack, settings=settings))


async def on(stack: Stack, key: str) -> str:
    """The version that the invoice's workflow runs, or ended, on."""
    described = (await stack.client.get_workflow_handle(key).describe()).raw_description
    return str(described.workflow_execution_info.versioning_info.deployment_version.build_id)


async def until_on(stack: Stack, key: str, name: str) -> None:
    async def look() -> bool:
        return await on(stack, key) == name

    await assert_eventually(look)


async def sent(stack: Stack) -> str:
    key = await stack.milestone()
    await stack.until(key, "sent")
    return key


async def test_a_new_version_takes_new_invoices_at_once_and_old_ones_where_they_rest_until_the_old_may_stop(
    office: Stack,
) -> None:
    async with AsyncExitStack() as old, version(office, "2026.12"):
        await old.enter_async_context(version(office, "2026.11"))
        current = documented(office, "set-current-version", **{"2026.12": "2026.11"})
        await done(office, current)
        seen, approved, waiting = [await sent(office) for _ in range(3)]
        assert {await on(office, key) for key in (seen, approved, waiting)} == {"2026.11"}

        await done(office, documented(office, "set-current-version"))

        async def new_ones_begin_on_it() -> bool:
            return await on(office, await sent(office)) == "2026.12"

        await assert_eventually(new_ones_begin_on_it)
        assert {await on(office, key) for key in (seen, approved, waiting)} == {"2026.11"}, "nothing moves by itself"

        await office.recipient(approved, "approve", version="1")
        await office.until(approved, "billed")
        assert await on(office, approved) == "2026.11", "what is led to its end by one event ends where it was"

        await office.recipient(seen)
        await office.until(seen, "viewed")
        await until_on(office, seen, "2026.12")

        await done(office, documented(office, "workflow signal"))
        await until_on(office, waiting, "2026.12")

        async def nobody_is_left() -> bool:
            code, out = await temporal(office, documented(office, "workflow count"))
            assert code == 0, out
            return re.search(r"Total: 0\b", out) is not None

        await assert_eventually(nobody_is_left)
        await old.aclose()
        for key in (seen, waiting):
            await office.recipient(key, "approve", version="1")
            await office.until(key, "billed")
        code, out = await temporal(office, documented(office, "deployment describe"))
        assert code == 0, out
        assert re.search(r"2026\.11\s+\w*drain", out), out


async def test_without_a_version_everything_runs_as_on_a_server_that_knows_none(office: Stack) -> None:
    async with working(office):
        key = await sent(office)
        assert await on(office, key) == ""
