"""A dispatcher over real records and a real Temporal, for tests that look at what it signals and in which order.

Where one invoice's calls have to go wrong, an interceptor of the real client sees to it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from temporalio.api.enums.v1 import EventType as History
from temporalio.client import Client, Interceptor, OutboundInterceptor, SignalWorkflowInput
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.events import InvoiceEvent
from billing.record import Fate
from records import events, intents
from records.session import Database
from records.sql import table
from records.tables import EventRow
from starter.claiming import LEASE_S
from starter.client import Engine, start_invoice
from starter.dispatcher import Dispatcher
from tests.fresh import bring_up
from tests.postgres import postgres_server, postgres_url
from tests.records.conftest import database_url
from tests.records.make import AT, an_intent, with_customer
from tests.stack import assert_eventually

__all__ = ["database_url", "postgres_server", "postgres_url"]

Trouble = Callable[[str], Awaitable[None]]


class Troubled(Interceptor):
    """Asks `trouble` before each signal; what it raises is what Temporal answers."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        trouble = self._trouble

        class Outbound(OutboundInterceptor):
            async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002 - the SDK's name
                await trouble(input.id)
                await super().signal_workflow(input)

        return Outbound(next)


class Office:
    """A dispatcher over real records and a real Temporal, with invoices whose workflows nobody works on."""

    def __init__(self, database: Database, client: Client) -> None:
        self.database, self.client = database, client
        self.queue = f"idle-{uuid4().hex[:8]}"
        self.trouble: Trouble = _none

    def dispatcher(self, *, trouble: Trouble | None = None, lease_s: float = LEASE_S) -> Dispatcher:
        """`trouble` is this dispatcher's alone, where it is not the office's."""

        async def connect() -> Client:
            config = self.client.config()
            config["interceptors"] = [Troubled(trouble or self.trouble)]
            return Client(**config)

        pauses = (timedelta(0),) * 3
        return Dispatcher(self.database, Engine(connect), self.queue, sweep_s=0.1, pauses=pauses, lease_s=lease_s)

    async def invoice(self) -> str:
        key = f"invoice:project_{uuid4().hex[:8]}:m1"
        async with self.database.transaction() as session:
            await intents.register(session, an_intent(key))
            await intents.mark_started(session, key)
        await start_invoice(self.client, an_intent(key), self.queue)
        return key

    async def events(self, key: str, count: int, kind: str = "invoice.viewed", start: int = 0) -> list[str]:
        """Stored in the opposite order of that in which they happened; their ids in the order of happening."""
        found = [_event(key, number, kind) for number in range(start, start + count)]
        arrivals = [events.Arrival("jupiter", one, one.model_dump_json().encode()) for one in reversed(found)]
        async with self.database.transaction() as session:
            await events.accept_all(session, arrivals)
        return [one.id for one in found]

    async def signalled(self, key: str) -> list[str]:
        """The ids of the events that reached the workflow, in its history's order."""
        history = await self.client.get_workflow_handle(key).fetch_history()
        inputs = [
            entry.workflow_execution_signaled_event_attributes.input.payloads[0]
            for entry in history.events
            if entry.event_type == History.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        ]
        return [InvoiceEvent.model_validate_json(payload.data).id for payload in inputs]

    async def row(self, event_id: str) -> EventRow:
        async with self.database.session() as session:
            found = await events.get_event(session, event_id)
        assert found is not None
        return found

    async def fates(self, ids: list[str]) -> set[str]:
        column = table(EventRow).c
        async with self.database.session() as session:
            found = await session.execute(select(column.id, column.fate).where(column.id.in_(ids)))
        fates = {row.id: row.fate for row in found}
        assert fates.keys() == set(ids)
        return set(fates.values())

    async def become(self, ids: list[str], fate: Fate) -> None:
        async def look() -> bool:
            return await self.fates(ids) == {fate}

        await assert_eventually(look)


def _event(key: str, number: int, kind: str) -> InvoiceEvent:
    body = {
        "id": f"evt_{uuid4().hex[:8]}_{number}",
        "type": kind,
        "created_at": AT + timedelta(seconds=number),
        "data": {"invoice_id": f"inv_{key}", "reference": key},
    }
    return InvoiceEvent.model_validate(body)


async def _none(_: str) -> None:
    return None


@pytest.fixture
async def office(database_url: str, temporal_address: str) -> AsyncIterator[Office]:
    database = Database(database_url)
    try:
        await bring_up(database)
        await with_customer(database)
        yield Office(database, await Client.connect(temporal_address, data_converter=pydantic_data_converter))
    finally:
        await database.close()


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[Dispatcher]:
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        await dispatcher.stop()
