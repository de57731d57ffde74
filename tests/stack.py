"""The whole of Billhook in one process for a test: only the ports are free ones, everything that listens is real."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import SMTP
from pydantic import SecretStr
from temporalio.client import Client

import worker
from activities.recording import RecordingInterceptor
from connectors.payloads import data_converter
from records.session import Database
from records.tokens import Scope, create_token, revoke_token
from sandbox.config import SandboxConfig
from sandbox.server import build_server
from settings import Settings
from starter.http.app import create_app
from telemetry import tracing
from tests.fresh import bring_up
from tests.quick import CheckedOnce

API_KEY: Final = "jk_test_key"
WEBHOOK_SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE_S: Final = 20.0


async def assert_eventually(check: Callable[[], Awaitable[Any]], patience_s: float = PATIENCE_S) -> Any:
    """The first true answer of `check`; fails with the last answer when patience runs out."""
    last: Any = None
    pause = 0.01
    try:
        async with asyncio.timeout(patience_s):
            while not (last := await check()):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 0.5)
    except TimeoutError:
        raise AssertionError(f"it never came true; last answer {last!r}") from None
    return last


class Mailbox(MessageHandler):
    """Keeps every mail; while `refusing`, answers every recipient with 550."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Message] = []
        self.refusing = False

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refusing:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)


@dataclass
class Stack:
    """Handles to everything that runs. `api` carries the admin token, `jupiter` the sandbox's key."""

    settings: Settings
    database: Database
    client: Client
    api: httpx.AsyncClient
    jupiter: httpx.AsyncClient
    mailbox: Mailbox
    tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, name: str, *scopes: Scope) -> dict[str, str]:
        """Headers of a new token."""
        if name not in self.tokens:
            async with self.database.transaction() as session:
                # A folder that a stack ran on before knows the name already.
                await revoke_token(session, name)
                self.tokens[name] = await create_token(session, name, list(scopes))
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    async def approvers(self, *names: str) -> None:
        """Their tokens, with the scopes of people who decide."""
        for name in names:
            await self.token(name, Scope.APPROVE, Scope.READ)

    async def customer(self, customer_id: str = "acme", **changes: Any) -> str:
        body = {"name": "Acme GmbH", "email": f"ap@{customer_id}.example", "segment": "standard", "currency": "USD"}
        answer = await self.api.put(f"/customers/{customer_id}", json=body | changes)
        assert answer.is_success, answer.text
        return customer_id

    async def milestone(self, **changes: Any) -> str:
        """Triggers a milestone; the key."""
        answer = await self.api.post("/triggers/milestone", json=milestone_body(**changes))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["key"])

    async def invoice(self, key: str) -> dict[str, Any]:
        answer = await self.api.get(f"/invoices/{key}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until(self, key: str, *statuses: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The invoice once it is in one of `statuses`."""

        async def look() -> dict[str, Any] | None:
            found = await self.invoice(key)
            return found if found["status"] in statuses else None

        try:
            found: dict[str, Any] = await assert_eventually(look, patience_s)
        except AssertionError:
            raise AssertionError(f"{key} never became {statuses}: {await self.invoice(key)}") from None
        return found

    async def recipient(self, key: str, action: str = "", **form: Any) -> httpx.Response:
        """What the recipient does on the page: opens it (no action), amend, change-request, approve."""
        link = (await self.invoice(key))["link"]
        headers = {"Accept": "application/json", "Authorization": "", "User-Agent": "Mozilla/5.0"}
        if not action:
            return await self.jupiter.get(link, headers=headers)
        return await self.jupiter.post(f"{link}/{action}", data=form, headers=headers)

    async def assert_no_number_was_used(self) -> None:
        """Nothing stands at the API, and the next invoice gets the first number of the series."""
        assert (await self.truth())["invoices"] == []
        await self.until(await self.milestone(), "sent")
        numbers = (await self.truth())["numbers"]
        assert (numbers["first"], numbers["last"], numbers["contiguous"]) == (1, 1, True)

    async def faults(self, **switches: Any) -> None:
        answer = await self.jupiter.put("/_sandbox/faults", json=switches)
        assert answer.is_success, answer.text

    async def truth(self) -> dict[str, Any]:
        """The sandbox's own audit."""
        found: dict[str, Any] = (await self.jupiter.get("/_sandbox/audit")).json()
        return found


def milestone_body(**changes: Any) -> dict[str, Any]:
    body = {
        "event_id": f"evt_{uuid.uuid4().hex[:8]}",
        "occurred_at": "2026-10-14T09:30:00Z",
        "project_id": f"project_{uuid.uuid4().hex[:8]}",
        "milestone_id": "milestone_3",
        "customer_id": "acme",
        "description": "Design approved",
        "amount": "12500.00",
        "currency": "USD",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def listening() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # The protocol named: asyncio turns Nagle's algorithm off only on a socket that says it is TCP.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", 0))
    found.listen(256)
    return found


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def serving(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[None]:
    """A uvicorn server inside this loop, without its signal handlers."""
    server.config.lifespan = "on"
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve(sockets=[listener]))  # noqa: SLF001 - serve() would take the test's signals
    try:
        await assert_eventually(lambda: _started(server, task))
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> bool:
    if task.done():
        task.result()
        raise AssertionError("the server ended")
    return server.started


@asynccontextmanager
async def running_stack(temporal_address: str, folder: Path, **changes: Any) -> AsyncIterator[Stack]:
    """`changes` override settings; `worker_options` go to the worker, None leaves it to the caller to run one.
    `interceptors` are the worker's, beside the one that it always has."""
    worker_options, interceptors = changes.pop("worker_options", {}), changes.pop("interceptors", ())
    async with AsyncExitStack() as around:
        sandbox_socket, api_socket = around.enter_context(listening()), around.enter_context(listening())
        mailbox = Mailbox()
        smtp = await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
        around.callback(smtp.close)
        given: dict[str, Any] = {
            "data_dir": folder,
            "database_url": f"sqlite:///{folder / 'billhook.db'}",
            "jupiter_url": url_of(sandbox_socket),
            "jupiter_api_key": SecretStr(API_KEY),
            "webhook_secrets": SecretStr(WEBHOOK_SECRET),
            "public_url": url_of(api_socket),
            "smtp_url": f"smtp://127.0.0.1:{smtp.sockets[0].getsockname()[1]}",
            "task_queue": f"billhook-{uuid.uuid4().hex[:8]}",
        }
        settings = Settings(**(given | changes))
        database = Database(settings.database)
        around.push_async_callback(database.close)
        await bring_up(database)
        client = await _connect(temporal_address, settings)
        sandbox = SandboxConfig(
            database=folder / "sandbox.db",
            api_key=API_KEY,
            public_url=url_of(sandbox_socket),
            webhook_url=f"{url_of(api_socket)}/webhooks/jupiter",
            webhook_secret=WEBHOOK_SECRET,
        )
        await around.enter_async_context(serving(build_server(sandbox), sandbox_socket))
        app = create_app(settings, database, lambda: _connect(temporal_address, settings))
        config = uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=2)
        await around.enter_async_context(serving(uvicorn.Server(config), api_socket))
        if worker_options is not None:
            parts = await around.enter_async_context(worker.parts_of(settings))
            options = {
                "workflow_runner": CheckedOnce(worker.sandboxed().restrictions),
                "interceptors": [*interceptors, RecordingInterceptor(parts.database)],
                **worker_options,
            }
            await around.enter_async_context(worker.build_worker(client, parts, settings.task_queue, **options))
        limits = httpx.Limits(keepalive_expiry=2)
        # Sooner than the servers' 5 s: what both sides give up in the same moment is a request that nobody answers.
        api = await around.enter_async_context(
            httpx.AsyncClient(base_url=url_of(api_socket), timeout=30, limits=limits)
        )
        jupiter = await around.enter_async_context(
            httpx.AsyncClient(
                base_url=url_of(sandbox_socket),
                timeout=30,
                limits=limits,
                headers={"Authorization": f"Bearer {API_KEY}"},
            )
        )
        stack = Stack(settings, database, client, api, jupiter, mailbox)
        api.headers.update(await stack.token("admin", Scope.ADMIN))
        yield stack


async def _connect(address: str, settings: Settings) -> Client:
    return await Client.connect(
        address, data_converter=data_converter(settings.sealing_keys), interceptors=tracing.interceptors()
    )
