"""Where an audit looks, found from the settings or from a running stack. What does not answer is left out by name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from temporalio.client import Client
from temporalio.service import RPCError

from audit.sources import Sources, read_mails
from connectors.payloads import data_converter
from records.session import Database
from records.sql import now
from settings import Settings
from starter import client as temporal
from starter.client import EngineUnreachable
from starter.embedded.stack import Stack

Say = Callable[[str], None]
_TRUTH_S: Final = 120.0
# Tens of thousands of invoices with every delivery of every event.
_CONNECT_S: Final = 5.0


@asynccontextmanager
async def sources_of(settings: Settings, say: Say, connect: Callable[[], Awaitable[Client]]) -> AsyncIterator[Sources]:
    """Every source that answers; `say` hears of each that does not. Raises FileNotFoundError without records."""
    as_of = now()
    database = Database.existing(settings.database, settings.pool)
    try:
        yield Sources(
            database=database,
            truth=await _truth(settings.jupiter_url, say),
            ledger=await asyncio.to_thread(_ledger, settings, say),
            mails=await asyncio.to_thread(_mails, settings.data_dir / "mail", say),
            client=await _client(connect, say),
            as_of=as_of,
        )
    finally:
        await database.close()


@asynccontextmanager
async def sources_of_stack(stack: Stack, say: Say) -> AsyncIterator[Sources]:
    """The same for a stack that runs here."""
    settings = Settings(data_dir=stack.data_dir, jupiter_url=stack.jupiter_url)

    async def connect() -> Client:
        if stack.outside.temporal:
            return await temporal.connect(settings)
        return await Client.connect(stack.temporal_address, data_converter=data_converter(settings.sealing_keys))

    async with sources_of(settings, say, connect) as sources:
        yield sources


async def _truth(url: str | None, say: Say) -> dict[str, Any] | None:
    """What the sandbox says of itself; a real provider has no such page."""
    if url is None:
        say("the API's audit is left out: BILLHOOK_JUPITER_URL is not set")
        return None
    try:
        async with httpx.AsyncClient(timeout=httpx.Timeout(_TRUTH_S, connect=_CONNECT_S), trust_env=False) as client:
            answer = await client.get(f"{url.rstrip('/')}/_sandbox/audit")
            found = answer.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        say(f"the API's audit is left out: {url}/_sandbox/audit gave none ({type(error).__name__})")
        return None
    return found if isinstance(found, dict) and "invoices" in found else None


def _ledger(settings: Settings, say: Say) -> Path | None:
    """One that is missing counts as empty where the records are a file beside it: then it is this machine's."""
    path = settings.ledger
    if path.exists() or settings.database.startswith("sqlite"):
        return path
    say(f"the journal is left out: there is no {path} on this machine")
    return None


def _mails(directory: Path, say: Say) -> list[Any] | None:
    if not directory.is_dir():
        say(f"the mails are left out: there is no {directory}, the embedded mail sink's folder")
        return None
    return read_mails(directory)


async def _client(connect: Callable[[], Awaitable[Client]], say: Say) -> Client | None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            return await connect()
    except (EngineUnreachable, RPCError, RuntimeError, TimeoutError) as error:
        say(f"the histories are left out: Temporal does not answer ({str(error).splitlines()[0][:120] or 'in time'})")
        return None
