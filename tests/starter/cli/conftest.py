"""The command line beside a whole running stack."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from records.tokens import Scope
from tests import commands
from tests.stack import Stack

Answer = tuple[int, str, str]
Billhook = Callable[..., Awaitable[Answer]]


@pytest.fixture
def billhook(stack: Stack, tmp_path: Path) -> Billhook:
    """`await billhook("cases", "list")` as dana, who may approve: exit code, stdout, stderr."""

    async def call(*arguments: str) -> Answer:
        headers = await stack.token("dana", Scope.APPROVE, Scope.READ)
        env = {
            **os.environ,
            "BILLHOOK_DATA_DIR": str(tmp_path),
            "BILLHOOK_API_URL": str(stack.api.base_url),
            "BILLHOOK_TOKEN": headers["Authorization"].removeprefix("Bearer "),
        }
        return await commands.answer(*arguments, env=env, cwd=tmp_path)

    return call
