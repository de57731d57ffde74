"""What a browser may do with an answer of ours, whoever brought it there: nothing, unless it is a page for people.

Around the whole application, so that the refusals of its outer layers carry them too.
"""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANSWERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_DOCS: Final = ANSWERS | {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src https://cdn.jsdelivr.net; "
        "img-src data: https://fastapi.tiangolo.com; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}
# Swagger UI's page as FastAPI writes it: its files from the CDN, its start in the page.
_HTTPS_ONLY: Final = "max-age=31536000"
# A year, for this host alone: what else is on the domain is not ours to promise.


class SecurityHeaders:
    """ASGI middleware. `pages` names headers by the first part of a path; `secure` where we are reached by https."""

    def __init__(self, app: ASGIApp, *, pages: Mapping[str, Mapping[str, str]], secure: bool) -> None:
        self._app, self._secure = app, secure
        self._pages = {"/docs": _DOCS, **pages}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._of(scope["path"]))
                headers.setdefault("Cache-Control", "no-store")
                if self._secure:
                    headers["Strict-Transport-Security"] = _HTTPS_ONLY
            await send(message)

        await self._app(scope, receive, with_headers)

    def _of(self, path: str) -> Mapping[str, str]:
        first = "/" + path.lstrip("/").partition("/")[0]
        return self._pages.get(first, ANSWERS)
