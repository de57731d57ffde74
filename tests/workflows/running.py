"""Workers of some queues, invoices as a run starts them, and who was called in which order."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from temporalio.client import Client

import worker
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.queues import Queue
from connectors.payloads import data_converter
from records import intents
from starter import client as temporal
from tests.stack import Stack, assert_eventually

EVERY: Final = tuple(Queue)


class Noting:
    """An outside system's client; `noted` hears of every call, with its arguments, before it is made."""

    def __init__(self, system: Any, noted: Callable[[str], None]) -> None:
        self._system, self._noted = system, noted

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._system, name)

        async def called(*args: Any, **kwargs: Any) -> Any:
            self._noted(f"{name} {args[0]}")
            return await call(*args, **kwargs)

        return called


@asynccontextmanager
async def working(
    stack: Stack, only: tuple[Queue, ...] = EVERY, noted: Callable[[str], None] | None = None, **options: Any
) -> AsyncIterator[None]:
    """A worker process of its own: own parts and own connection. `noted` hears of the calls to the invoicing API."""
    address = stack.client.service_client.config.target_host
    client = await Client.connect(address, data_converter=data_converter(stack.settings.sealing_keys))
    async with worker.parts_of(stack.settings) as parts:
        heard = replace(parts, invoicing=Noting(parts.invoicing, noted)) if noted else parts
        options = {"workflow_runner": worker.sandboxed(), **options}
        async with worker.build_worker(client, heard, stack.settings.task_queue, only, **options):
            yield


def usage(amount: str = "100.00", customer: str = "acme") -> Intent:
    """What a run builds for one subscription."""
    name = f"sub_{uuid.uuid4().hex[:8]}"
    line = Line(description="Calls", quantity=Decimal(1), unit_price=Decimal(amount))
    return Intent(
        key=f"invoice:{name}:2026-10",
        motion=Motion.USAGE,
        customer_id=customer,
        commercial=Commercial(currency="USD", lines=(line,)),
        source=Source(event_id=f"usage:{name}:2026-10", occurred_at=datetime(2026, 11, 1, tzinfo=UTC), scope=name),
    )


async def started(stack: Stack, *wanted: Intent) -> list[str]:
    """Registered and started as a run does it; the keys."""
    for intent in wanted:
        async with stack.database.transaction() as session:
            assert await intents.register(session, intent)
        # Not asserted: the API's sweep may have been quicker, and starts it where the run would have.
        await temporal.start_invoice(stack.client, intent, stack.settings.task_queue, of_run=True)
        async with stack.database.transaction() as session:
            await intents.mark_started(session, intent.key)
    return [intent.key for intent in wanted]


async def all_wait_for(stack: Stack, activity: str, keys: list[str]) -> None:
    """Until `activity` of each of these stands in line and nobody has taken it."""

    async def waits(key: str) -> bool:
        found = await stack.client.get_workflow_handle(key).describe()
        return [one.activity_type.name for one in found.raw_description.pending_activities] == [activity]

    for key in keys:
        await assert_eventually(lambda key=key: waits(key))  # type: ignore[misc]
