"""Temporal for walks: the real dev server, and the test server that skips time."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from temporalio.testing import WorkflowEnvironment

from starter.embedded.stack import DYNAMIC_CONFIG
from tests.conftest import program
from tests.paths.walks import Engine
from tests.paths.world import Skip
from tests.skipping import skipping_server
from workflows import visibility

_SHORT: Final = {"limit.historyCount.suggestContinueAsNew": "40"}
# Events: a billed invoice has about 60.


@asynccontextmanager
async def engine(needs: Engine) -> AsyncIterator[tuple[str, Skip | None]]:
    """What a walk needs: its address, and how to jump where it skips time."""
    if needs is Engine.SKIPS_TIME:
        async with skipping_server() as environment:
            yield environment.client.service_client.config.target_host, _jump(environment)
    else:
        async with dev_server(_SHORT if needs is Engine.SHORT_HISTORY else {}) as address:
            yield address, None


@asynccontextmanager
async def dev_server(dynamic: Mapping[str, str]) -> AsyncIterator[str]:
    """Its address. `dynamic` adds to its dynamic configuration."""
    values = {**DYNAMIC_CONFIG, **dynamic}
    words = [word for name, value in values.items() for word in ("--dynamic-config-value", f"{name}={value}")]
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=program("temporal"),
        search_attributes=visibility.ALL,
        dev_server_extra_args=words,
        dev_server_log_level="error",
    ) as environment:
        yield environment.client.service_client.config.target_host


def _jump(environment: WorkflowEnvironment) -> Skip:
    async def skip(time: timedelta) -> None:
        await environment.sleep(time)

    return skip
