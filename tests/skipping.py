"""The time-skipping server, so that nobody waits for weeks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from tests.conftest import program
from tests.stack import SEARCH_ATTRIBUTES


@asynccontextmanager
async def skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """With our search attributes: the server knows none, as a new cluster does not."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server")
    ) as environment:
        wanted = {key.name: _value_type(key) for key in SEARCH_ATTRIBUTES}
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=wanted)
        )
        yield environment


def _value_type(key: SearchAttributeKey[Any]) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
