"""How much one address and one token may ask, so that a caller who runs wild costs himself and nobody else.

A bucket for each: it fills at a steady rate, a request takes one out, and an empty one is a 429 that says when to come
again. In memory and per process: of N API processes behind a balancer a caller gets N times as much. Who guesses tokens
is not stopped here but by their 256 bits; this keeps him from taking the database's time.
"""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import ClassVar, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from billing.errors import BillhookError
from settings import Settings
from starter.http.problems import refusal

BURST_S: Final = 10.0
# A bucket holds what comes in that long: a page, a batch or a provider that catches up asks for much at once.
_MOST: Final = 10_000
# Buckets of one kind. Beyond that the one asked longest ago is forgotten, and is full again.
_NETWORK: Final = 64
# One IPv6 customer has a whole /64 to come from.
_IPV6: Final = 6
_UNCOUNTED: Final = frozenset({"/healthz", "/readyz"})
# A process that refuses too much must not look dead to whoever would restart it.
_WEBHOOKS: Final = "/webhooks/"


class TooManyRequests(BillhookError):
    """Asked more often than is allowed; `retry_after_s` is when the next one will be taken."""

    status: ClassVar[int] = 429
    slug: ClassVar[str] = "too-many-requests"

    def __init__(self, whose: str, wait_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(wait_s))
        super().__init__(f"too many requests {whose}", next_step=f"send the next one in {self.retry_after_s} s")


class Buckets:
    """`rate` requests per second for each name, 0 for no limit. `clock` counts seconds and never goes back."""

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._holds = max(1.0, rate * BURST_S)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """0.0 where a request may pass; else the seconds until the next one may, and then nothing is taken."""
        if not self._rate:
            return 0.0
        now = self._clock()
        left, at = self._left.get(name, (self._holds, now))
        left = min(self._holds, left + (now - at) * self._rate)
        passes = left >= 1
        self._left[name] = (left - passes, now)
        self._left.move_to_end(name)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._rate


class Rates:
    """The three kinds of buckets of one application."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        self._tokens = Buckets(settings.token_rate, clock)
        self._addresses = Buckets(settings.address_rate, clock)
        self._webhooks = Buckets(settings.webhook_rate, clock)

    def of_token(self, fingerprint: str) -> None:
        """Raises TooManyRequests."""
        wait_s = self._tokens.take(fingerprint)
        if wait_s:
            raise TooManyRequests("with this token", wait_s)

    def of_address(self, path: str, address: str) -> None:
        """What may be asked before anybody says who he is. Raises TooManyRequests."""
        if path in _UNCOUNTED:
            return
        buckets = self._webhooks if path.startswith(_WEBHOOKS) else self._addresses
        wait_s = buckets.take(network_of(address))
        if wait_s:
            raise TooManyRequests("from this address", wait_s)


class AddressLimit:
    """ASGI middleware: before a body is read, and before the database hears of it."""

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self._app, self._rates = app, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "http":
                self._rates.of_address(scope["path"], address_in(scope))
        except TooManyRequests as error:
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def address_in(scope: Scope) -> str:
    """Who asks; behind a proxy that uvicorn trusts (FORWARDED_ALLOW_IPS), the address that it names."""
    client = scope.get("client")
    return client[0] if client else ""


def network_of(address: str) -> str:
    """Whom an address counts for: itself, or its /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, _NETWORK), strict=False)) if found.version == _IPV6 else address
