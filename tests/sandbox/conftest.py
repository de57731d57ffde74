"""A sandbox over a real socket, and an endpoint that hears its webhooks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.server import build_server
from tests.sandbox.sandbox_bench import KEY, SECRET, Bench, Listener, running


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """An endpoint for webhooks."""
    heard = Listener()
    options = uvicorn.Config(heard, access_log=False, log_level="warning", lifespan="off")
    async with running(uvicorn.Server(options)) as url:
        heard.url = f"{url}/hook"
        yield heard


@pytest.fixture
def config(tmp_path: Path) -> SandboxConfig:
    """A sandbox that nobody listens to."""
    return SandboxConfig(
        database=tmp_path / "sandbox.db", api_key=KEY, public_url="http://127.0.0.1", webhook_first_pause_s=0.02
    )


@pytest.fixture
async def bench(config: SandboxConfig) -> AsyncIterator[Bench]:
    """A running sandbox."""
    async with running(build_server(config)) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield Bench(client, config)


@pytest.fixture
async def in_process(config: SandboxConfig) -> AsyncIterator[Bench]:
    """The same sandbox without a socket, for what no socket can change."""
    app = create_app(config)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(base_url=config.public_url, transport=transport) as client,
    ):
        yield Bench(client, config)


@pytest.fixture
async def heard_bench(bench: Bench, listener: Listener) -> Bench:
    """A running sandbox whose events the listener gets."""
    body = {"url": listener.url, "events": [], "secret": SECRET}
    assert (await bench.call("POST", "/webhook-endpoints", body)).status_code == 201
    return bench


@pytest.fixture
def eventually(bench: Bench) -> Callable[[Callable[[dict[str, Any]], bool]], Awaitable[dict[str, Any]]]:
    """Ask the audit until something holds of it."""

    async def ask(holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(8):
            while not holds(truth := await bench.audit()):
                continue
        return truth

    return ask
