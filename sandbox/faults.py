"""The switches that make this API as unpleasant as a real one on a bad day.

Every draw comes from one `random.Random(seed)`, and each call draws the same number of times whatever is switched on,
so that a run repeats. The switches live in memory: a restart is a clean start.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.models import Strict
from sandbox.wire import answer

Rate = Annotated[float, Field(ge=0, le=1)]
SHUFFLE_WINDOW_MS = 200
# Long enough that neighbours of a busy moment change places, short enough for a test to wait for.


class Faults(Strict):
    """The switches; rates are probabilities."""

    seed: int = 0
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    error_rate: Rate = 0
    rate_limit_rate: Rate = 0
    retry_after_s: Annotated[int, Field(ge=0, le=3600)] = 1
    drop_before_rate: Rate = 0
    drop_after_rate: Rate = 0
    webhook_duplicate_rate: Rate = 0
    webhook_delay_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 0
    webhook_shuffle: bool = False
    webhook_drop_rate: Rate = 0
    webhook_forge_rate: Rate = 0


@dataclass(frozen=True)
class CallFate:
    """What is to happen to one API call."""

    drop_before: bool
    rate_limited: bool
    error: bool
    drop_after: bool

    @property
    def kind(self) -> str:
        """The one thing that happens, first come first; empty if nothing does."""
        named = {
            "drop_before": self.drop_before,
            "rate_limit": self.rate_limited,
            "error": self.error,
            "drop_after": self.drop_after,
        }
        return next((kind for kind, happens in named.items() if happens), "")


@dataclass(frozen=True)
class DeliveryFate:
    """What is to happen to one webhook."""

    delay_s: float
    dropped: bool
    duplicated: bool
    forged: bool


class FaultBox:
    """The present switches and their random numbers; `injected` counts what they did, by the name of the switch."""

    def __init__(self) -> None:
        self.injected: Counter[str] = Counter()
        self.turn(Faults())

    def turn(self, switches: Faults) -> None:
        """Replace all switches and start the random numbers over from the seed."""
        self.switches = switches
        self._random = random.Random(switches.seed)  # noqa: S311 - repeatable on purpose, protects nothing # nosec B311

    def _hits(self, *rates: float) -> list[bool]:
        return [self._random.random() < rate for rate in rates]

    def call(self) -> CallFate:
        """Draw for one API call."""
        now = self.switches
        fate = CallFate(*self._hits(now.drop_before_rate, now.rate_limit_rate, now.error_rate, now.drop_after_rate))
        if fate.kind:
            self.injected[fate.kind] += 1
        return fate

    def delivery(self) -> DeliveryFate:
        """Draw for one webhook to one endpoint."""
        now = self.switches
        hits = self._hits(now.webhook_drop_rate, now.webhook_duplicate_rate, now.webhook_forge_rate)
        spread = self._random.random() * max(SHUFFLE_WINDOW_MS, now.webhook_delay_ms) if now.webhook_shuffle else 0
        fate = DeliveryFate((now.webhook_delay_ms + spread) / 1000, *hits)
        self._count_delivery(fate)
        return fate

    def _count_delivery(self, fate: DeliveryFate) -> None:
        happened = {
            "webhook_delay": self.switches.webhook_delay_ms > 0,
            "webhook_shuffle": self.switches.webhook_shuffle,
            "webhook_drop": fate.dropped,
            "webhook_duplicate": fate.duplicated and not fate.dropped,
            "webhook_forge": fate.forged,
        }
        self.injected.update(kind for kind, happens in happened.items() if happens)

    async def linger(self) -> None:
        """Wait as long as the latency switch says."""
        if self.switches.latency_ms:
            self.injected["latency"] += 1
            await asyncio.sleep(self.switches.latency_ms / 1000)


class FaultyCalls:
    """Applies the call faults around an ASGI application, from outside of everything it does itself."""

    def __init__(self, app: ASGIApp, box: FaultBox) -> None:
        self.app, self.box = app, box

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/v1/"):
            await self.app(scope, receive, send)
            return
        fate = self.box.call()
        if fate.drop_before:
            await hang_up(receive, send)
        elif fate.rate_limited:
            retry_after = str(self.box.switches.retry_after_s)
            refusal = answer({"error": "Too many requests.", "field": None}, 429, {"Retry-After": retry_after})
            await refusal(scope, receive, send)
        elif fate.error:
            await answer({"error": "Something broke on our side.", "field": None}, 500)(scope, receive, send)
        elif fate.drop_after:
            await self.app(scope, receive, _swallow)
            await hang_up(receive, send)
        else:
            await self.app(scope, receive, send)


async def _swallow(message: Message) -> None:
    """Take an answer that nobody is going to hear."""


async def hang_up(receive: Receive, send: Send) -> None:
    """Close the connection without an answer.

    ASGI has no word for this. Under uvicorn `send` is bound to the object that holds the socket's transport; after
    closing it, waiting for the disconnect lets the server see a client that left instead of an application that forgot
    to answer. Without a socket (a test's in-process transport) it raises `ConnectionResetError`.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    close: Callable[[], None] | None = getattr(transport, "close", None)
    if close is None:
        raise ConnectionResetError("The sandbox closed the connection.")
    close()
    while (await receive())["type"] != "http.disconnect":
        continue
