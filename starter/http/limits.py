"""No body over 1 MiB is read, whatever the route: a declared length is refused at once, a stream as it passes."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starter.http.problems import problem

MAX_BODY: Final = 1024 * 1024
_WORDS: Final = "the body is larger than 1 MiB"


class BodyLimit:
    """ASGI middleware; `limit` in bytes."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._declared(scope) > self._limit:
            refusal = problem(413, "content-too-large", _WORDS, next_step="send at most 1 MiB")
            refusal.headers["connection"] = "close"
            await refusal(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _declared(self, scope: Scope) -> int:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                return int(value)
        return 0

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(413, _WORDS)
            return message

        return counted
