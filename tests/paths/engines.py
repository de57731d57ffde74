"""Temporal for walks: the real dev server, and the test server that skips time."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from starter.embedded.stack import DYNAMIC_CONFIG
from tests.conftest import program
from tests.paths.walks import Engine
from tests.paths.world import Skip
from tests.stack import SEARCH_ATTRIBUTES

_SHORT: Final = {"limit.historyCount.suggestContinueAsNew": "40"}
# Events: a billed invoice has about 60.


@asynccontextmanager
async def engine(needs: Engine) -> AsyncIterator[tuple[str, Skip | None]]:
    """What a walk needs: its address, and how to jump where it skips time."""
    if needs is Engine.SKIPS_TIME:
        async with skipping_server() as (address, skip):
            yield address, skip
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
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_extra_args=words,
        dev_server_log_level="error",
    ) as environment:
        yield environment.client.service_client.config.target_host


@asynccontextmanager
async def skipping_server() -> AsyncIterator[tuple[str, Skip]]:
    """Its address, and how to jump."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server")
    ) as environment:
        # The test server knows no attributes of ours, as a new cluster does not.
        wanted = {key.name: _value_type(key) for key in SEARCH_ATTRIBUTES}
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=wanted)
        )

        async def skip(time: timedelta) -> None:
            await environment.sleep(time)

        yield environment.client.service_client.config.target_host, skip


def _value_type(key: SearchAttributeKey[Any]) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
