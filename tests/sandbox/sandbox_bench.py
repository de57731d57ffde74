"""What the tests of the sandbox speak with: an endpoint that hears webhooks, and the sender's and recipient's moves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from standardwebhooks.webhooks import Webhook
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.config import SandboxConfig
from sandbox.server import bind

KEY = "jk_live_made_up"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AUTH = {"Authorization": f"Bearer {KEY}"}
INVOICE = {
    "recipient": {"company": "Acme", "email": "ap@acme.example"},
    "line_items": [{"description": "Design", "quantity": 2.5, "unit_price_cents": 10001}],
    "currency": "EUR",
    "payment_terms": "net_30",
    "reference": "invoice:p:1",
}


@dataclass
class Listener:
    """An endpoint that keeps what it is sent; `answers` are the statuses it gives first, then 202."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        async with self.news:
            self.heard.append((dict(request.headers), body))
            self.news.notify_all()
        await Response(status_code=self.answers.pop(0) if self.answers else 202)(scope, receive, send)

    async def until(self, count: int) -> list[dict[str, Any]]:
        """The events heard, once there are so many."""
        async with asyncio.timeout(8), self.news:
            await self.news.wait_for(lambda: len(self.heard) >= count)
        return [json.loads(body) for _, body in self.heard]

    def genuine(self) -> list[dict[str, Any]]:
        """The events whose signature holds."""
        return [json.loads(body) for headers, body in self.heard if verifies(headers, body)]


def verifies(headers: dict[str, str], body: bytes) -> bool:
    """Whether the Standard Webhooks library accepts the delivery."""
    try:
        Webhook(SECRET).verify(body, headers)
    except Exception:  # noqa: BLE001 - the library raises several
        return False
    return True


@asynccontextmanager
async def running(server: uvicorn.Server) -> AsyncIterator[str]:
    """The server on a free port of this machine; its address."""
    with bind("127.0.0.1", 0) as socket:
        task = asyncio.create_task(server._serve(sockets=[socket]))  # noqa: SLF001 - `serve` takes over the signals
        async with asyncio.timeout(5):
            while not server.started:  # noqa: ASYNC110 - uvicorn tells of its start by this flag alone
                await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@dataclass
class Bench:
    """A running sandbox, the way its sender and its recipient see it."""

    client: httpx.AsyncClient
    config: SandboxConfig

    async def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        """One call of the API."""
        headers = AUTH | ({"Idempotency-Key": key} if key else {})
        return await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)

    async def draft(self, **fields: Any) -> dict[str, Any]:
        """A new draft."""
        made = await self.call("POST", "/invoices", INVOICE | fields)
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def sent(self, **fields: Any) -> dict[str, Any]:
        """A new issued invoice."""
        made = await self.draft(**fields)
        return dict((await self.call("POST", f"/invoices/{made['id']}/issue", {"send": False})).json())

    async def act(self, invoice: dict[str, Any], what: str, **fields: Any) -> httpx.Response:
        """A recipient's deed, as JSON."""
        path = f"/i/{invoice['share_token']}/{what}"
        return await self.client.post(path, json=fields, headers={"Accept": "application/json"})

    async def faults(self, **switches: Any) -> None:
        """Turn fault switches; those not named are off."""
        assert (await self.client.put("/_sandbox/faults", json=switches)).status_code == 200

    async def audit(self) -> dict[str, Any]:
        """The sandbox's own truth."""
        return dict((await self.client.get("/_sandbox/audit")).json())

    async def events(self) -> list[str]:
        """The kinds of all events, in order."""
        return [event["type"] for event in (await self.audit())["events"]]
