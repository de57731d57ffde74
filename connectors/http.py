"""Every outside call over HTTP: one client per process, and one kind of failure that says what a retry needs to know.

CallFailed    the call did not succeed: a status, or nothing heard at all
BadAnswer     it succeeded and the answer makes no sense; asking again will not help
HostRefused   it was not made: no setting names that host, whoever wrote the address into what we were sent

Whatever was answered is noted (connectors/noted.py) for the timeline and the dossier of the invoice.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from billing.errors import BillhookError
from connectors.noted import note
from connectors.watched import watched
from telemetry import tracing

TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0, pool=5.0)
# Under the activities' start-to-close of 30 s, so that the cause shows as ours and not as a lost worker.
LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=30.0)
# As many as a worker runs activities; kept idle for less than servers usually keep theirs.
MAX_ANSWER: Final = 4 * 1024 * 1024
# Bytes. The longest list page of whole invoices is well below it.
_EXCERPT: Final = 300
_UNREACHED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_OK: Final = range(200, 300)
_TOO_MANY: Final = 429
_SERVER: Final = 500
_REPLAYED: Final = "idempotent-replayed"
# "true" where the answer is the one that this Idempotency-Key got before.


class CallFailed(Exception):
    """A call that did not succeed.

    `status` is None where no answer was heard; `reached` is False only if the request surely never arrived.
    `retry_after` is what the other side asked us to wait, `field` what it complained about, `excerpt` its own words.
    """

    def __init__(
        self,
        call: str,
        *,
        status: int | None = None,
        reached: bool = True,
        retry_after: timedelta | None = None,
        field: str | None = None,
        excerpt: str = "",
    ) -> None:
        heard = f"answered {status}" if status is not None else "gave no answer" if reached else "could not be reached"
        super().__init__(f"{call} {heard}" + (f" on {field}" if field else "") + (f": {excerpt}" if excerpt else ""))
        self.status = status
        self.reached = reached
        self.retry_after = retry_after
        self.field = field
        self.excerpt = excerpt

    @property
    def outcome(self) -> str:
        """For counting."""
        if self.status is None:
            return "unheard"
        if self.status >= _SERVER:
            return "failed"
        return "limited" if self.status == _TOO_MANY else "refused"


class BadAnswer(Exception):
    """The other side answered success with something that cannot be right. Names the call and the first bad field."""

    outcome: Final = "unusable"

    def __init__(self, call: str, why: str) -> None:
        super().__init__(f"{call} answered what cannot be right: {why}")


class HostRefused(BillhookError):
    """A request to somewhere that no setting names. It did not leave this process."""

    status = 503
    slug = "host-refused"
    outcome: Final = "refused"

    def __init__(self, url: httpx.URL) -> None:
        super().__init__(
            f"{url.scheme}://{url.netloc.decode('ascii')} is no host that this Billhook may call",
            next_step="if it is right, add it to BILLHOOK_OUTBOUND_HOSTS and start again",
        )


def build_client(allowed: Iterable[str], transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The shared client: explicit timeouts and limits, no redirects (a write must not be repeated elsewhere), and no
    request but to the scheme, host and port of one of the URLs `allowed`: each raises HostRefused before it is made,
    a redirect that somebody follows too."""
    origins = frozenset(_origins(allowed))

    async def only_allowed(request: httpx.Request) -> None:
        if _origin(request.url) not in origins:
            raise HostRefused(request.url)

    client = httpx.AsyncClient(
        timeout=TIMEOUT,
        limits=LIMITS,
        follow_redirects=False,
        transport=transport,
        headers={"User-Agent": "billhook"},
        event_hooks={"request": [only_allowed]},
    )
    tracing.watch_client(client)
    return client


def _origins(urls: Iterable[str]) -> Iterator[tuple[str, bytes, int | None]]:
    """What is no URL opens no way; whoever is given it as an address says so."""
    for url in urls:
        with suppress(httpx.InvalidURL):
            yield _origin(httpx.URL(url))


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    """httpx leaves a scheme's own port out, whether or not it was written."""
    return url.scheme, url.raw_host, url.port


async def call(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    system: str,
    headers: dict[str, str],
    params: dict[str, Any] | None = None,
    json: Any = None,
    step_key: str = "",
    shown: str = "",
) -> bytes:
    """The body of a 2xx answer. Raises CallFailed, BadAnswer for a body over MAX_ANSWER; neither shows a header.

    `system` and `step_key` are noted with the call. Where the URL's path holds a secret, `shown` is told instead of it,
    in the note and in every failure.
    """
    path = shown or httpx.URL(url).path
    words = f"{method} {path}"
    with watched(system, method, path, step_key):
        try:
            async with client.stream(method, url, headers=headers, params=params, json=json) as response:
                body = await _read(response, words)
        except httpx.HTTPError as error:
            reached = not isinstance(error, _UNREACHED)
            raise CallFailed(words, reached=reached, excerpt=type(error).__name__) from error
        replayed = response.headers.get(_REPLAYED, "").lower() == "true"
        note(system, method, path, response.status_code, step_key=step_key, replayed=replayed)
        if response.status_code not in _OK:
            raise _refusal(words, response, body)
        return body


async def _read(response: httpx.Response, words: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_ANSWER:
            raise BadAnswer(words, f"more than {MAX_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def _refusal(words: str, response: httpx.Response, body: bytes) -> CallFailed:
    error, field = _told(body)
    return CallFailed(
        words,
        status=response.status_code,
        retry_after=parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC)),
        field=field,
        excerpt=error,
    )


def _told(body: bytes) -> tuple[str, str | None]:
    """What `{"error", "field"}` or HubSpot's `{"message"}` says, or the beginning of whatever else came."""
    try:
        parsed = httpx.Response(200, content=body).json()
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        return body[:_EXCERPT].decode(errors="replace"), None
    field = parsed.get("field")
    return str(parsed.get("error") or parsed.get("message") or "")[:_EXCERPT], field[:100] if isinstance(
        field, str
    ) else None


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """A Retry-After header, seconds or an HTTP date (RFC 9110, 10.2.3), as the time to wait; None if it is neither."""
    if value is None:
        return None
    try:
        if value.strip().isascii() and value.strip().isdigit():
            return timedelta(seconds=int(value))
        at = parsedate_to_datetime(value)
        return max(timedelta(), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)
    except (ValueError, OverflowError):
        return None
