"""The courier: brings each owed delivery to its endpoint, with growing pauses, until it is taken or three days pass.

It sleeps until a delivery is committed or the next one falls due, never polls, and reads everything that is still
pending from the file when it starts.
"""

import asyncio
import base64
import heapq
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from sandbox.config import SandboxConfig
from sandbox.store import Row, Store
from sandbox.wire import dumps, loads

FORGERS_SECRET = "whsec_" + base64.b64encode(b"forged-by-the-sandbox-for-tests").decode()
# Nobody trusts it; that is its use.
OWED = """SELECT d.id, d.kind, d.attempts, v.id AS event_id, v.created_at, v.body, e.url, e.secret
  FROM deliveries d JOIN events v ON v.id = d.event_id JOIN endpoints e ON e.id = d.endpoint_id
  WHERE d.id = ? AND d.state = 'pending'"""


class Courier:
    """Delivers webhooks; `start` and `stop` belong to the application's lifespan."""

    def __init__(self, store: Store, config: SandboxConfig) -> None:
        self._store, self._config = store, config
        self._due: list[tuple[float, int]] = []
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(config.webhook_concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Take up what an earlier run still owed, and begin."""
        limits = httpx.Limits(max_connections=self._config.webhook_concurrency)
        self._client = httpx.AsyncClient(timeout=self._config.webhook_timeout_s, limits=limits, trust_env=False)
        for row in self._store.reading().all("SELECT id, due_at FROM deliveries WHERE state = 'pending'"):
            self.wake(row["id"], row["due_at"])
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop at once; whatever was under way stays pending in the file and goes out again."""
        tasks = [task for task in (self._loop, *self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def wake(self, delivery_id: int, due_at: float) -> None:
        """Take note of a delivery."""
        heapq.heappush(self._due, (due_at, delivery_id))
        self._news.set()

    async def _run(self) -> None:
        while True:
            self._news.clear()
            while self._due and self._due[0][0] <= time.time():
                await self._slots.acquire()
                self._send_off(heapq.heappop(self._due)[1])
            await self._rest()

    async def _rest(self) -> None:
        pause = max(0.0, self._due[0][0] - time.time()) if self._due else None
        try:
            await asyncio.wait_for(self._news.wait(), pause)
        except TimeoutError:
            return

    def _send_off(self, delivery_id: int) -> None:
        task = asyncio.create_task(self._deliver(delivery_id))
        self._running.add(task)
        task.add_done_callback(self._returned)

    def _returned(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slots.release()

    async def _deliver(self, delivery_id: int) -> None:
        owed = self._store.reading().one(OWED, delivery_id)
        if owed is None or self._client is None:
            return
        status, error = None, None
        try:
            content, headers = envelope(owed)
            status = (await self._client.post(owed["url"], content=content, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = type(failure).__name__
        self._record(owed, status, error)

    def _record(self, owed: Row, status: int | None, error: str | None) -> None:
        state, due_at = self._verdict(owed, status)
        finished = None if state == "pending" else self._store.clock.now()
        with self._store.transaction() as tx:
            tx.run(
                "UPDATE deliveries SET state = ?, due_at = ?, attempts = attempts + 1, last_status = ?, last_error = ?,"
                " finished_at = ? WHERE id = ?",
                state, due_at, status, error, finished, owed["id"],
            )  # fmt: skip
            if state == "pending":
                tx.after_commit.append(lambda: self.wake(owed["id"], due_at))

    def _verdict(self, owed: Row, status: int | None) -> tuple[str, float]:
        due_at = time.time() + self.pause(owed["attempts"])
        if owed["kind"] == "forged":
            return "forged", due_at
        if status is not None and 200 <= status < 300:  # noqa: PLR2004 - the 2xx class
            return "delivered", due_at
        patience = timedelta(seconds=self._config.webhook_give_up_after_s)
        expired = self._store.clock.present() - datetime.fromisoformat(owed["created_at"]) > patience
        return ("given_up" if expired else "pending"), due_at

    def pause(self, attempts: int) -> float:
        """Seconds before the next try: doubling from the first pause up to the longest."""
        longest = self._config.webhook_longest_pause_s
        return min(longest, self._config.webhook_first_pause_s * 2.0 ** min(attempts, 30))


def envelope(owed: Row) -> tuple[bytes, dict[str, str]]:
    """Body and headers by the Standard Webhooks specification; the timestamp is that of the attempt."""
    forged = owed["kind"] == "forged"
    body = _tampered(owed["body"]) if forged else owed["body"]
    now = datetime.now(UTC)
    signature = Webhook(FORGERS_SECRET if forged else owed["secret"]).sign(owed["event_id"], now, body)
    headers = {
        "content-type": "application/json",
        "webhook-id": owed["event_id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    return body.encode(), headers


def _tampered(body: str) -> str:
    """What somebody who lies would send: the same event, with an approval of everything in it."""
    event: dict[str, Any] = loads(body)
    event["type"] = "invoice.approved"
    event["data"]["status"] = "approved"
    return dumps(event)
