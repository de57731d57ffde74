"""The commands of docker-compose.yml as local processes, on a real PostgreSQL and a bare Temporal server."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from temporalio.testing import WorkflowEnvironment

from starter.embedded.ports import Ports
from starter.embedded.stack import temporal_binary
from tests.deploy.test_deploy_compose import BIN, services
from tests.postgres import postgres_server, postgres_url
from tests.stack import WEBHOOK_SECRET, assert_eventually, milestone_body

__all__ = ["postgres_server", "postgres_url"]

STARTING_S = 60.0
# Five processes import everything at once; on a busy machine three of them took 13 s for that alone.


class Local:
    """The services of the file on this machine: their commands and health checks as they stand, but for addresses."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._services, self._folder, self._ports = services(), folder, ports
        self.api, self.jupiter = f"http://127.0.0.1:{ports.api}", f"http://127.0.0.1:{ports.sandbox}"

    def command(self, service: str, container: str) -> list[str]:
        command = self._services[service]["command"]
        return [str(BIN / command[0]), *(self._here(word, container) for word in command[1:])]

    def check(self, service: str, container: str) -> list[str]:
        how, *words = self._services[service]["healthcheck"]["test"]
        words = [self._here(word, container) for word in words]
        return ["sh", "-c", *words] if how == "CMD-SHELL" else [str(BIN / words[0]), *words[1:]]

    def _here(self, word: str, container: str) -> str:
        """A container's own /tmp and network, as a folder and as ports."""
        for there, here in {
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the container listens on, replaced
            "http://api:8400": self.api,
            "127.0.0.1:8400": f"127.0.0.1:{self._ports.api}",
            "127.0.0.1:8401": f"127.0.0.1:{self._ports.sandbox}",
            "--port=8401": f"--port={self._ports.sandbox}",
            "--data-dir=/data": f"--data-dir={self._folder}",
            "/tmp/": f"{self._folder}/{container}-",  # noqa: S108 - a container's
        }.items():
            word = word.replace(there, here)
        return str(self._ports.api) if word == "8400" else word


@asynccontextmanager
async def _process(command: list[str], env: dict[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=output, stderr=output)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _once(command: list[str], env: dict[str, str]) -> None:
    done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def _healthy(command: list[str], env: dict[str, str]) -> None:
    async def look() -> bool:
        done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, check=False)
        return done.returncode == 0

    await assert_eventually(look, STARTING_S)


RUNNING: Final = {
    "sandbox": "sandbox",
    "worker-1": "worker",
    "worker-2": "worker",
    "outside-calls": "outside-calls",
    "api": "api",
}
"""Containers and the services they are of."""


async def test_every_service_command_runs_and_is_healthy_and_a_milestone_is_sent_also_when_a_worker_was_killed(
    postgres_url: str, tmp_path: Path
) -> None:
    local = Local(tmp_path, Ports.free())
    async with AsyncExitStack() as around:
        server = await around.enter_async_context(
            await WorkflowEnvironment.start_local(dev_server_existing_path=temporal_binary())
        )
        env = {
            "PATH": os.environ["PATH"],
            "BILLHOOK_DATABASE_URL": postgres_url,
            "BILLHOOK_DATA_DIR": str(tmp_path),
            "BILLHOOK_JUPITER_URL": local.jupiter,
            "BILLHOOK_JUPITER_API_KEY": "jk_test",
            "BILLHOOK_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "BILLHOOK_PUBLIC_URL": local.api,
            "BILLHOOK_DELIVERY": "api",
            "BILLHOOK_LOG_FORMAT": "json",
            "TEMPORAL_ADDRESS": server.client.service_client.config.target_host,
        }
        for job in ("search-attributes", "search-attributes", "migrate"):
            await _once(local.command(job, job), env)
        processes = {
            name: await around.enter_async_context(
                _process(local.command(service, name), env, tmp_path / f"{name}.log")
            )
            for name, service in RUNNING.items()
        }
        await asyncio.gather(*(_healthy(local.check(service, name), env) for name, service in RUNNING.items()))
        made = [str(BIN / "billhook"), "token", "create", "test", "--scope", "admin"]
        token = (await asyncio.to_thread(subprocess.check_output, made, env=env, text=True)).strip().split()[-1]
        async with httpx.AsyncClient(base_url=local.api, headers={"Authorization": f"Bearer {token}"}) as client:
            customer = {"name": "Acme", "email": "ap@acme.example", "segment": "standard", "currency": "USD"}
            assert (await client.put("/customers/acme", json=customer)).is_success
            for killed in (None, "worker-1"):
                if killed:
                    processes[killed].kill()
                key = (await client.post("/triggers/milestone", json=milestone_body())).json()["key"]
                await assert_eventually(_sent(client, key), STARTING_S)


def _sent(client: httpx.AsyncClient, key: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool((await client.get(f"/invoices/{key}")).json()["status"] == "sent")

    return look


def test_the_programs_that_the_image_calls_are_installed() -> None:
    assert all(shutil.which(name, path=str(Path(sys.executable).parent)) for name in ("billhook", "temporal"))
