"""What a vendor's module is given and what it answers."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from billing.errors import BadInput
from billing.mappings import System
from billing.motions import Trigger
from records.events import Due, Notice
from starter.intake import Malformed

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,160}")
# What stands in a URL's path as it is, so that an event can be named on a command line; the column holds 200.
_LONGEST_TYPE: Final = 100


@dataclass(frozen=True)
class Call:
    """A webhook as it came. `url` is the public one, which some systems sign; header names are in lower case."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Nothing:
    """An event that bills nothing, and why; where a mapping would change that, the reason names its key."""

    reason: str


Meaning = Trigger | Nothing


class NotYet(BadInput):
    """Something is missing that somebody may still add: the event waits before it is given up."""


class Vendor(Protocol):
    """One system."""

    @property
    def system(self) -> System: ...

    @property
    def is_on(self) -> bool:
        """Whether a secret is set; without one the door stays shut."""

    def verify(self, call: Call) -> None:
        """Raises BadSignature, Malformed where the signed time stands in a body that cannot be read."""

    def read(self, call: Call) -> list[Notice]:
        """The events in a verified call. Raises Malformed where they cannot even be told apart."""

    async def meaning(self, row: Due) -> Meaning:
        """What a stored event starts. Raises BadInput, NotYet, and CallFailed where a system is asked."""


def json_of(raw: bytes) -> Any:
    """Raises Malformed."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is no JSON", field="body", next_step="send JSON in UTF-8") from error


def object_of(raw: bytes) -> dict[str, Any]:
    """Raises Malformed."""
    found = json_of(raw)
    if not isinstance(found, dict):
        raise Malformed("the body is no JSON object", field="body", next_step="send one event, as a JSON object")
    return found


def dig(found: Any, *path: str) -> Any:
    """The value at `path`; None where anything on the way is missing."""
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def header(call: Call, name: str) -> str:
    """Raises Malformed where the header is missing."""
    value = call.headers.get(name, "")
    if not value:
        raise Malformed(f"the header {name} is missing", field=name, next_step="send it")
    return value


def notice(
    call: Call, system: System, event_id: str, kind: str, raw: bytes, *, lane: str = "", at: Any = None
) -> Notice:
    """A stored event. Its id begins with the system's name, so that no two systems' ids can be the same."""
    stored = named(system, event_id)
    return Notice(
        source=system.value,
        id=stored,
        type=_text(kind)[:_LONGEST_TYPE] or "unknown",
        at=moment(at) or call.at,
        lane=named(system, lane) if lane else stored,
        raw=raw,
    )


def named(system: System, *parts: str) -> str:
    """`system:part:part`; what cannot stand so in a URL, or is too long, gives way to its hash."""
    text = ":".join(parts)
    if not _PLAIN_ID.fullmatch(text):
        text = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{system.value}:{text}"


def moment(value: Any) -> datetime | None:
    """A time as RFC 3339 text, or as milliseconds since 1970; None for anything else."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _text(value: str) -> str:
    """Without what PostgreSQL takes for no text."""
    return value.replace("\x00", "").encode(errors="replace").decode()
