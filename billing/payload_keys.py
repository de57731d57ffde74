"""The keys that seal what Temporal keeps, as the setting spells them: `id:base64, id:base64`, or one to a line.

The first seals, all of them open: a new key is put in front, and the old one stays for as long as something that it
sealed is still to be read. The id stands beside every sealed payload in the clear and says which key opens it.
"""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Self

KEY_BYTES: Final = 32
# AES-256.
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_BETWEEN: Final = re.compile(r"[,\s]+")


@dataclass(frozen=True)
class PayloadKeys:
    """Ids and keys, the one that seals first. Empty: nothing is sealed."""

    by_id: dict[str, bytes] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.by_id)

    @property
    def sealing(self) -> str:
        """The id of the key that seals. Raises StopIteration where there is none."""
        return next(iter(self.by_id))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError saying which entry cannot be used; never what stands in it."""
        found: dict[str, bytes] = {}
        for place, entry in enumerate(filter(None, _BETWEEN.split(text)), 1):
            name, separator, key = entry.partition(":")
            if not separator or not _ID.fullmatch(name):
                raise ValueError(f"entry {place} is no id:key, an id being letters, digits and _.-, 64 at most")
            if name in found:
                raise ValueError(f"entry {place} has the id of an earlier one, {name}; each key has an id of its own")
            found[name] = _key(place, key)
        return cls(found)


def new_key(name: str) -> str:
    """`name` with fresh random bytes, as the setting takes it. Raises ValueError for a name that is no id."""
    made = f"{name}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
    PayloadKeys.parse(made)
    return made


def _key(place: int, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"the key of entry {place} is not {KEY_BYTES} bytes in base64; `billhook codec key ID` makes one"
        )
    return key
