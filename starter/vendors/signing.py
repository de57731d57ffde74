"""How webhooks are signed: HMAC-SHA256 over the raw bytes by any of several secrets, compared in constant time."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from starter.intake import BadSignature

FIVE_MINUTES: Final = timedelta(minutes=5)


def as_hex(digest: bytes) -> str:
    return digest.hex()


def as_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


class Signed:
    """Checks signatures that came in `header`, by any of the `secrets` that the setting named `setting` holds."""

    def __init__(self, secrets: list[str], setting: str, header: str, encoded: Callable[[bytes], str] = as_hex) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._setting, self._header, self._encoded = setting, header, encoded

    @property
    def is_on(self) -> bool:
        return bool(self._secrets)

    def check(self, message: bytes, given: Iterable[str]) -> None:
        """Raises BadSignature unless one of `given` is one of our secrets' signature of `message`."""
        signatures = [one.encode(errors="replace") for one in given if one]
        if not signatures:
            raise BadSignature(
                f"the header {self._header} is missing or empty",
                field=self._header,
                next_step=f"sign the body with the secret that {self._setting} holds, and send the signature there",
            )
        expected = [
            self._encoded(hmac.new(secret, message, hashlib.sha256).digest()).encode() for secret in self._secrets
        ]
        if not any(hmac.compare_digest(mine, theirs) for mine in expected for theirs in signatures):
            raise BadSignature(
                f"{self._header}: no secret of ours signed this body",
                field=self._header,
                next_step=f"check {self._setting} against the secret that the sender shows",
            )


def fresh(sent_at: datetime | None, now: datetime, window: timedelta, field: str) -> None:
    """Raises BadSignature for a time that cannot be read or lies outside the window, before or after now."""
    if sent_at is None:
        raise BadSignature(
            f"{field}: it is missing, or no time", field=field, next_step="send when the webhook was signed"
        )
    if abs(now - sent_at) > window:
        raise BadSignature(
            f"{field}: {sent_at.isoformat()} is too far from now; {window.total_seconds():.0f} s are tolerated",
            field=field,
            next_step="check the sender's clock and this machine's",
        )
