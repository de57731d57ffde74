"""A call's name, so that the same call twice is one: by what it says, or by a key that the agent gives it."""

import hashlib
from typing import Any, Final

from billing.intent import canonical_hash

_LENGTH: Final = 32


def call_id(agent: str, tool: str, said: dict[str, Any], key: str = "") -> str:
    """`NAME:SAID`, both hashes. Without a key the name is what was said; with one, another call under it is refused."""
    what = canonical_hash({"agent": agent, "tool": tool, **said})[:_LENGTH]
    named = hashlib.sha256(f"{agent}\n{key}".encode()).hexdigest()[:_LENGTH] if key else what
    return f"{named}:{what}"
