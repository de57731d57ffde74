"""The command line beside a whole running stack."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from records.tokens import Scope
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
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "starter.cli", *arguments,
            env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    return call
