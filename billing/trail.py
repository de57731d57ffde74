"""The audit trail of one invoice: what people decided, edited and repaired, each entry chained to the one before it.

An entry's hash covers the entry and the hash before it, so a trail that was changed, cut in the middle or put in
another order no longer verifies, and the first entry that is wrong can be named. The chain begins at a hash of the key
and of the payload that was to be billed; one trail cannot stand for another invoice.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from billing.decisions import Decision
from billing.intent import canonical_hash


class TrailEntry(BaseModel):
    """One entry. `position` counts from 1 within the invoice; `at` is aware UTC; `body` holds JSON values alone."""

    model_config = ConfigDict(frozen=True)

    position: int
    at: datetime
    kind: str
    actor: str
    body: dict[str, Any]
    prev: str
    hash: str

    def expected_hash(self) -> str:
        """What `hash` must be, given all the rest: SHA-256 in hex over the canonical JSON."""
        return canonical_hash(self.model_dump(mode="json", exclude={"hash"}))


def genesis(key: str, payload_hash: str) -> str:
    """The hash that the first entry of an invoice's trail is chained to."""
    return canonical_hash({"key": key, "payload_hash": payload_hash})


def chained(  # noqa: PLR0917 - an entry's fields, in their order
    position: int, at: datetime, kind: str, actor: str, body: dict[str, Any], prev: str
) -> TrailEntry:
    """The entry that follows the one with the hash `prev`."""
    entry = TrailEntry(position=position, at=at, kind=kind, actor=actor, body=body, prev=prev, hash="")
    return entry.model_copy(update={"hash": entry.expected_hash()})


def broken(entries: Iterable[TrailEntry], begins: str) -> str:
    """Empty if `entries` is a whole chain from `begins`; else the first entry that is wrong, in words."""
    prev = begins
    for place, entry in enumerate(entries, start=1):
        if entry.position != place:
            return f"entry {entry.position} stands in place {place}"
        if entry.prev != prev:
            return f"entry {place} ({entry.kind} by {entry.actor}) does not follow the entry before it"
        if entry.hash != entry.expected_hash():
            return f"entry {place} ({entry.kind} by {entry.actor}) was changed"
        prev = entry.hash
    return ""


def decision_body(decision: Decision) -> dict[str, Any]:
    """What the entry of a decision says at least; who and when are the entry's own `actor` and `at`, its place too."""
    return decision.model_dump(mode="json", exclude={"at", "actor", "position"})


def holds(entries: Iterable[TrailEntry], decision: Decision) -> bool:
    """Whether some entry, of whatever kind, records this decision; it may say more of it."""
    said = decision_body(decision).items()
    return any(
        (entry.actor, entry.at) == (decision.actor, decision.at) and said <= entry.body.items() for entry in entries
    )
