"""From a trigger to a running workflow: register the intent, commit, start.

The registered intent is the promise. When Temporal does not answer within a moment, the caller hears 202 all the same
and the dispatcher's sweep starts the workflow later; the unique key keeps every repeat to one invoice.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog
from temporalio.service import RPCError

from billing.intent import Intent
from billing.timely import check_times
from records import intents, subscriptions
from records.session import Database
from starter import client as temporal
from starter.client import Engine, EngineUnreachable

START_WITHIN_S: Final = 2.0
# Long past any healthy start, short enough that a caller waits it out.

log = structlog.get_logger(__name__)


class Later(Protocol):
    """Who takes over what could not be finished here: the dispatcher."""

    def started(self, key: str) -> None: ...

    def hold(self, key: str) -> None: ...

    def release(self, key: str) -> None: ...


@dataclass(frozen=True)
class Triggered:
    """`created` is False if the same key and payload came before; `started` is False if the sweep has to start it."""

    key: str
    created: bool
    started: bool


async def trigger(database: Database, engine: Engine, later: Later, intent: Intent, task_queue: str) -> Triggered:
    """Register `intent` and start its workflow at once.

    Raises KeyTaken, UnknownCustomer, BadInput on times of a new one that cannot be meant and on usage that is billed to
    another than its subscription's customer, and whatever the database raises; then nothing was registered.
    """
    later.hold(intent.key)
    try:
        async with database.transaction() as session:
            created = await intents.register(session, intent)
            if created:
                check_times(intent, datetime.now(UTC))
                await subscriptions.check_billed(session, intent)
        started = await _started(engine, intent, task_queue) if created else False
    finally:
        later.release(intent.key)
    if started:
        later.started(intent.key)
    return Triggered(key=intent.key, created=created, started=started)


async def _started(engine: Engine, intent: Intent, task_queue: str) -> bool:
    try:
        async with asyncio.timeout(START_WITHIN_S):
            await temporal.start_invoice(await engine.client(), intent, task_queue)
    except (EngineUnreachable, TimeoutError, RPCError) as error:
        log.warning("start_postponed", key=intent.key, cause=str(error) or "no answer in time")
        return False
    return True
