"""Health checks of the stack's parts, each by the part's own protocol. "" means well, else what is wrong."""

import asyncio
import json
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime

import httpx

from starter.embedded.part import Probe
from starter.embedded.ports import HOST

_CALL_S = 3.0


def http_ok(url: str) -> Probe:
    """GET answers 200."""

    async def probe() -> str:
        try:
            async with httpx.AsyncClient(timeout=_CALL_S, trust_env=False) as client:
                answer = await client.get(url)
        except httpx.HTTPError as error:
            return f"{url}: {type(error).__name__}"
        return "" if answer.is_success else f"{url} answers {answer.status_code}: {answer.text[:300]}"

    return probe


def smtp_greets(port: int) -> Probe:
    """The server greets with 220."""

    async def probe() -> str:
        try:
            async with asyncio.timeout(_CALL_S):
                reader, writer = await asyncio.open_connection(HOST, port)
                line = await reader.readline()
                writer.write(b"QUIT\r\n")
                await writer.drain()
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            return f"port {port}: {type(error).__name__}"
        return "" if line.startswith(b"220") else f"port {port} greets with {line[:60]!r}"

    return probe


def _run(binary: str, address: str, *arguments: str) -> tuple[str, ...]:
    return (binary, *arguments, "--address", address, "--command-timeout", "3s", "--output", "json")


async def _ask(command: tuple[str, ...]) -> str | None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    return out.decode() if process.returncode == 0 else None


def temporal_serves(binary: str, address: str, attributes: Collection[str]) -> Probe:
    """The server says SERVING and knows every one of these search attributes."""

    async def probe() -> str:
        if await _ask(_run(binary, address, "operator", "cluster", "health")) is None:
            return f"no Temporal server answers at {address}"
        answer = await _ask(_run(binary, address, "operator", "search-attribute", "list"))
        known = json.loads(answer).get("customAttributes") or {} if answer else {}
        lacking = [name for name in attributes if name not in known]
        return f"{address} lacks the search attributes {', '.join(lacking)}" if lacking else ""

    return probe


def worker_polls(binary: str, address: str, task_queue: str) -> Probe:
    """Somebody polls the task queue, and began no earlier than this probe was made: a dead worker lingers there."""
    since = datetime.now(UTC)

    async def probe() -> str:
        answer = await _ask(_run(binary, address, "task-queue", "describe", "--task-queue", task_queue))
        pollers = (json.loads(answer).get("pollers") or []) if answer else []
        fresh = [one for one in pollers if datetime.fromisoformat(one["lastAccessTime"]) > since]
        return "" if fresh else f"nobody polls task queue {task_queue!r} at {address}"

    return probe
