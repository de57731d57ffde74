"""Who sits at a browser, in a signed cookie: no table of sessions, and none to clean.

A session names the token that signed in by its fingerprint, and each request looks that token up, so that revoking it
ends every session that it opened. Before anybody signs in there is a session too: forms are bound to it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, ValidationError

LIFE: Final = timedelta(hours=12)
# A working day: whoever starts in the morning signs in once.
IDLE: Final = timedelta(hours=1)
# A desk that was left alone over lunch is closed.
_RENEW: Final = timedelta(minutes=1)
# How much of the idle time a page may lose to a cookie that was not written again.
_SALT: Final = "billhook.desk"

Clock = Callable[[], datetime]


class Session(BaseModel):
    """`began` and `seen` are aware UTC; `token` is a fingerprint, empty while nobody has signed in."""

    model_config = ConfigDict(frozen=True)

    id: str
    began: datetime
    seen: datetime
    token: str = ""


def signer(secret: str, purpose: str) -> URLSafeSerializer:
    """Signs for one purpose; what it signed is nothing to another."""
    return URLSafeSerializer(
        secret, salt=f"{_SALT}.{purpose}", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
    )


def unsigned(serializer: URLSafeSerializer, text: str | None) -> Any:
    """What was signed; None for anything that this serializer did not sign."""
    try:
        return serializer.loads(text) if text else None
    except BadData:
        return None


class Sessions:
    """`clock` gives aware UTC."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._signer = signer(secret, "session")
        self._csrf_key = hashlib.sha256(f"{_SALT}.csrf:{secret}".encode()).digest()
        self._clock = clock

    def begin(self, token: str = "") -> Session:
        """A new session with a name of its own, so that nobody can bring one for somebody else to sign in to."""
        now = self._clock()
        return Session(id=secrets.token_urlsafe(16), began=now, seen=now, token=token)

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None for one that was not signed here, is too old, or was left alone too long."""
        try:
            session = Session.model_validate(unsigned(self._signer, cookie))
        except ValidationError:
            return None
        now = self._clock()
        return None if now - session.began >= LIFE or now - session.seen >= IDLE else session

    def write(self, session: Session) -> str:
        """What the cookie holds."""
        return self._signer.dumps(session.model_dump(mode="json"))

    def renewed(self, session: Session) -> Session | None:
        """The session as seen now; None where its cookie says so already, about."""
        now = self._clock()
        return session.model_copy(update={"seen": now}) if now - session.seen >= _RENEW else None

    def csrf(self, session: Session) -> str:
        """What a form of this session carries; another session's is another."""
        return hmac.new(self._csrf_key, session.id.encode(), hashlib.sha256).hexdigest()

    def is_csrf(self, session: Session, given: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode())
