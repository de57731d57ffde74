"""A stack on the time-skipping server, for what happens over days."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from tests.conftest import program
from tests.stack import SEARCH_ATTRIBUTES, Stack, running_stack


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server")
    ) as environment:
        # The test server knows no attributes of ours, as a new cluster does not.
        wanted = {key.name: _value_type(key) for key in SEARCH_ATTRIBUTES}
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=wanted)
        )
        yield environment


@pytest.fixture
async def slow(skipping: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Stack]:
    address = skipping.client.service_client.config.target_host
    async with running_stack(address, tmp_path) as stack:
        yield stack


def _value_type(key: SearchAttributeKey[Any]) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
