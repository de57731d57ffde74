"""What an operator watches: requests, the door, and what waits behind it. One registry per application."""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.metrics import PROCESS

_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# From an indexed query to a caller that gave up.


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

    def waiting(self, count: int) -> None:
        """Events that the dispatcher found due."""
        self._waiting.set(count)

    def fate(self, fate: str) -> None:
        """What the dispatcher made of one event."""
        self._fates.labels(fate).inc()

    def text(self) -> bytes:
        """The exposition format of Prometheus: this application's, and what its process counts anywhere."""
        return generate_latest(self.registry) + generate_latest(PROCESS)


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
