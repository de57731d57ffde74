"""The HTTP API alone: real database and Temporal, no worker, no sandbox; nothing moves but what is tested."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from records import events
from records.session import Database
from records.tables import EventRow
from records.tokens import Scope, create_token
from settings import Settings
from starter import schedules
from starter.http.app import create_app
from starter.http.parts import Parts
from tests.fresh import bring_up

OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW_SECRET = "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQ="
CUSTOMER = {"name": "Acme GmbH", "email": "ap@acme.example", "segment": "standard", "currency": "USD"}


@dataclass
class Api:
    """`http` carries the admin token."""

    http: httpx.AsyncClient
    app: FastAPI
    database: Database
    parts: Parts

    async def token(self, *scopes: Scope) -> dict[str, str]:
        """Headers of a new token."""
        async with self.database.transaction() as session:
            secret = await create_token(session, f"t-{uuid4().hex[:8]}", list(scopes))
        return {"Authorization": f"Bearer {secret}"}

    async def deliver(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """As the invoicing API posts it: without a token."""
        return await self.http.post("/webhooks/jupiter", content=body, headers={"Authorization": "", **headers})

    async def event(self, event_id: str) -> EventRow | None:
        async with self.database.session() as session:
            return await events.get_event(session, event_id)


Running = Callable[..., AbstractAsyncContextManager[Api]]


def signed(
    body: bytes, *, secret: str = NEW_SECRET, at: datetime | None = None, event_id: str = "evt_1"
) -> dict[str, str]:
    at = at or datetime.now(UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, body.decode()),
    }


@asynccontextmanager
async def running_api(address: str, folder: Path, **changes: Any) -> AsyncIterator[Api]:
    given: dict[str, Any] = {
        "data_dir": folder,
        "database_url": f"sqlite:///{folder / 'api.db'}",
        "webhook_secrets": SecretStr(f"{OLD_SECRET},{NEW_SECRET}"),
        "task_queue": f"billhook-{uuid4().hex[:8]}",
    }
    settings = Settings(**(given | changes))
    database = Database(settings.database, settings.pool)
    await bring_up(database)
    app = create_app(settings, database, lambda: Client.connect(address, data_converter=pydantic_data_converter))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://billhook", timeout=30) as http,
    ):
        api = Api(http, app, database, app.state.parts)
        http.headers.update(await api.token(Scope.ADMIN))
        answer = await http.put("/customers/acme", json=CUSTOMER)
        assert answer.status_code == 200, answer.text
        yield api
    await database.close()


@pytest.fixture
async def api(temporal_address: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with running_api(temporal_address, tmp_path) as running:
        yield running


@pytest.fixture
async def api_without_temporal(tmp_path: Path) -> AsyncIterator[Api]:
    """Nothing listens where it looks for Temporal."""
    async with running_api("127.0.0.1:1", tmp_path) as running:
        yield running


@pytest.fixture
async def without_schedules(temporal_address: str) -> AsyncIterator[Client]:
    """Temporal without our schedules. Their ids are fixed: a test begins without them and leaves none."""
    client = await Client.connect(temporal_address, data_converter=pydantic_data_converter)
    await _forget_schedules(client)
    yield client
    await _forget_schedules(client)


async def _forget_schedules(client: Client) -> None:
    for one in schedules.planned(Settings()):
        try:
            await client.get_schedule_handle(one.id).delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
