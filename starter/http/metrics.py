"""What an operator watches: requests, the door, and what waits behind it. One registry per application.

What only our records know is read when somebody asks, at most every few seconds however many ask.
"""

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from records import standing
from records.session import Database
from telemetry.metrics import PROCESS

_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# From an indexed query to a caller that gave up.
_FRESH_S: Final = 5.0
# Prometheus asks every 15 s or so; several of it, or an eager reader, cost the database no more than one.
_PATIENCE_S: Final = 3.0
# A scrape gives up after 10 s, and then shows nothing at all.


class Metrics:
    """Labels hold routes and words of ours, never a key or a customer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "billhook_http_request_seconds",
            "Time to answer",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.triggers = Counter("billhook_triggers", "Triggers taken", ["motion", "outcome"], registry=self.registry)
        self.events = Counter("billhook_events", "Webhook events taken", ["outcome"], registry=self.registry)
        self._fates = Counter("billhook_event_fates", "What the dispatcher did", ["fate"], registry=self.registry)
        self._waiting = Gauge("billhook_events_due", "Events due at the last pass", registry=self.registry)
        self._standing = Standings(self.registry)

    def waiting(self, count: int) -> None:
        """Events that the dispatcher found due."""
        self._waiting.set(count)

    def fate(self, fate: str) -> None:
        """What the dispatcher made of one event."""
        self._fates.labels(fate).inc()

    async def read(self, database: Database) -> None:
        """Bring what our records know up to date, if it was not just now."""
        await self._standing.read(database)

    def text(self) -> bytes:
        """The exposition format of Prometheus: this application's, and what its process counts anywhere."""
        return generate_latest(self.registry) + generate_latest(PROCESS)


class Standings:
    """What waits, as our records say. All API processes say the same, so a reader takes the largest, not the sum."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, words: str, *labels: str) -> Gauge:
            return Gauge(f"billhook_{name}", words, labels, registry=registry)

        self._is_read = gauge("standing_read", "1 where our records could be read, 0 where they could not")
        self._invoices = gauge("invoices", "Open invoices by state", "state")
        self._overdue = gauge("approvals_overdue", "Approvals past the time by which they are to be decided")
        self._oldest = gauge("approvals_oldest_seconds", "How long the longest waiting approval waits")
        self._cases = gauge("cases", "Open change requests by their deadline", "deadline")
        self._events = gauge("events_waiting", "Events stored and not delivered")
        self._events_oldest = gauge("events_oldest_seconds", "Age of the oldest event that is due")
        self._lock, self._read_at = asyncio.Lock(), -math.inf

    async def read(self, database: Database) -> None:
        """One reader at a time; whoever comes meanwhile, or soon after, is shown what that one found."""
        async with self._lock:
            if time.monotonic() - self._read_at >= _FRESH_S:
                await self._renew(database)
                self._read_at = time.monotonic()

    async def _renew(self, database: Database) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S), database.session() as session:
                self._show(await standing.read(session, datetime.now(UTC)))
        except (SQLAlchemyError, OSError, TimeoutError):
            # Old numbers would look like new ones.
            self._invoices.clear()
            self._cases.clear()
            for one in (self._is_read, self._overdue, self._oldest, self._events, self._events_oldest):
                one.set(0 if one is self._is_read else math.nan)

    def _show(self, found: standing.Standing) -> None:
        for state, count in found.invoices.items():
            self._invoices.labels(state).set(count)
        for deadline, count in found.cases.items():
            self._cases.labels(deadline).set(count)
        self._overdue.set(found.approvals_overdue)
        self._oldest.set(found.approvals_oldest_s)
        self._events.set(found.events_waiting)
        self._events_oldest.set(found.events_oldest_s)
        self._is_read.set(1)


class Timed:
    """ASGI middleware that times every request under its route's path, so that keys do not become labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = _route(scope)
            self._metrics.requests.labels(_method(scope), route, str(status)).observe(time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """The desk is mounted: its routes do not say where."""
    path = getattr(scope.get("route"), "path", None)
    mounted = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return "none" if path is None else f"{mounted}{path}"


def _method(scope: Scope) -> str:
    known = {"GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"}
    return scope["method"] if scope["method"] in known else "other"
