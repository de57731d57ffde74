"""The commands of docker-compose.yml as local processes, on a real PostgreSQL and a bare Temporal server."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from temporalio.testing import WorkflowEnvironment

from starter.embedded.ports import Ports
from starter.embedded.stack import temporal_binary
from tests.deploy.test_deploy_compose import BIN, services
from tests.postgres import postgres_server, postgres_url
from tests.stack import WEBHOOK_SECRET, assert_eventually, milestone_body

__all__ = ["postgres_server", "postgres_url"]

STARTING_S = 60.0
# Three processes import everything at once; on a busy machine that alone took 13 s.


def _local(command: list[str], replaced: dict[str, str]) -> list[str]:
    words = [str(BIN / command[0]), *command[1:]]
    for there, here in replaced.items():
        words = [word.replace(there, here) for word in words]
    return words


@asynccontextmanager
async def _process(command: list[str], env: dict[str, str], log: Path) -> AsyncIterator[None]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


async def _once(command: list[str], env: dict[str, str]) -> None:
    done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _answers(url: str) -> Callable[[], Any]:
    async def look() -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(url)).is_success
            except httpx.TransportError:
                return False

    return look


async def test_every_service_command_runs_and_a_milestone_is_sent(postgres_url: str, tmp_path: Path) -> None:
    ports = Ports.free()
    api, jupiter = f"http://127.0.0.1:{ports.api}", f"http://127.0.0.1:{ports.sandbox}"
    commands = {name: one["command"] for name, one in services().items() if one.get("command")}
    replaced = {
        "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the container listens on, replaced
        "http://api:8400": api,
        "http://127.0.0.1:8401": jupiter,
        "--port=8401": f"--port={ports.sandbox}",
        "--data-dir=/data": f"--data-dir={tmp_path}",
    }
    local = {name: _local(command, replaced) for name, command in commands.items()}
    local["api"] = [str(ports.api) if word == "8400" else word for word in local["api"]]
    async with AsyncExitStack() as around:
        server = await around.enter_async_context(
            await WorkflowEnvironment.start_local(dev_server_existing_path=temporal_binary())
        )
        env = {
            "PATH": os.environ["PATH"],
            "BILLHOOK_DATABASE_URL": postgres_url,
            "BILLHOOK_DATA_DIR": str(tmp_path),
            "BILLHOOK_JUPITER_URL": jupiter,
            "BILLHOOK_JUPITER_API_KEY": "jk_test",
            "BILLHOOK_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "BILLHOOK_PUBLIC_URL": api,
            "BILLHOOK_DELIVERY": "api",
            "BILLHOOK_LOG_FORMAT": "json",
            "TEMPORAL_ADDRESS": server.client.service_client.config.target_host,
        }
        await _once(local["search-attributes"], env)
        await _once(local["search-attributes"], env)
        await _once(local["migrate"], env)
        for name in ("sandbox", "worker", "api"):
            await around.enter_async_context(_process(local[name], env, tmp_path / f"{name}.log"))
        await assert_eventually(_answers(f"{jupiter}/healthz"), STARTING_S)
        await assert_eventually(_answers(f"{api}/readyz"), STARTING_S)
        made = [str(BIN / "billhook"), "token", "create", "test", "--scope", "admin"]
        token = (await asyncio.to_thread(subprocess.check_output, made, env=env, text=True)).strip().split()[-1]
        async with httpx.AsyncClient(base_url=api, headers={"Authorization": f"Bearer {token}"}) as client:
            customer = {"name": "Acme", "email": "ap@acme.example", "segment": "standard", "currency": "USD"}
            put = await client.put("/customers/acme", json=customer)
            assert put.is_success
            assert "server" not in put.headers, "what serves is nobody's business"
            key = (await client.post("/triggers/milestone", json=milestone_body())).json()["key"]

            async def sent() -> bool:
                return bool((await client.get(f"/invoices/{key}")).json()["status"] == "sent")

            await assert_eventually(sent)


def test_the_programs_that_the_image_calls_are_installed() -> None:
    assert all(shutil.which(name, path=str(Path(sys.executable).parent)) for name in ("billhook", "temporal"))
