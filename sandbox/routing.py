"""How requests are read and refused: exact numbers in, one shape for every refusal, the key checked at the door."""

import hmac
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.problems import Malformed, Problem, Unauthorized
from sandbox.wire import answer, read_body


class ExactRequest(Request):
    """A request whose JSON keeps fractions as `Decimal`."""

    async def json(self) -> Any:
        """The body. Raises `Malformed`."""
        return read_body(await self.body())


class ExactNumbers(APIRoute):
    """A route that reads its body through `ExactRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the usual handler."""
        handler = super().get_route_handler()

        async def exact(request: Request) -> Response:
            return await handler(ExactRequest(request.scope, request.receive))

        return exact


class KeyGuard:
    """Lets nothing under `/api/v1` through without the key, not even a path that does not exist."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self.app, self._expected = app, f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/v1/") and not self._knows(scope):
            refusal = _body(Unauthorized("The API key is missing or not valid.", None, {"WWW-Authenticate": "Bearer"}))
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)


def refuse_in_one_shape(app: FastAPI) -> None:
    """Give every refusal the body `{"error", "field"}`."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)


def _body(problem: Problem) -> Response:
    return answer({"error": problem.error, "field": problem.field}, problem.status, problem.headers)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for nothing else # nosec B101
    return _body(error)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else # nosec B101
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _body(Malformed("The body is not valid JSON."))
    return answer({"error": first["msg"], "field": field_path(first["loc"])}, 422)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else # nosec B101
    return answer({"error": error.detail, "field": None}, error.status_code, dict(error.headers or {}))


def field_path(location: tuple[int | str, ...]) -> str | None:
    """`line_items.0.quantity`: without the leading `body` or `query`, and without the name of a union's branch."""
    path = [str(part) for part in location[1:] if part not in ("percent", "flat")]
    return ".".join(path) or None
