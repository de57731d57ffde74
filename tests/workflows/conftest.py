"""A stack on the time-skipping server, for what happens over days."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.skipping import skipping_server, skipping_stack
from tests.stack import Stack


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_server() as environment:
        yield environment


@pytest.fixture
async def slow(skipping: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Stack]:
    async with skipping_stack(skipping, tmp_path) as stack:
        yield stack
