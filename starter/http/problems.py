"""Every error leaves as `application/problem+json` (RFC 9457), in words that say what to do next.

`{type, title, status, detail, next_step?, errors?: [{field, cause, next_step?}]}`; `type` is `urn:billhook:` and a
stable slug, which is what a program should look at. Nothing internal is told: a fault of ours says only that it is one.
"""

from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from billing.complaints import complaint
from billing.errors import BadInput, BillhookError
from records.pool import RecordsUnavailable

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = "5"
# Long enough for a restart of what is down, short enough for a person who waits.
_CHOSEN: Final = frozenset({"one", "many"})
# Which of two forms of a body was read; no part of what was sent.
_NAMED: Final = 5
# Fields that the detail names; all of them stand in `errors`.
_NO_METHOD: Final = 405
_NEXT: Final = {
    404: "the calls are listed at /docs",
    405: "the calls are listed at /docs",
    413: "send at most 1 MiB",
}

log = structlog.get_logger(__name__)


class FieldError(BaseModel):
    """One field that cannot be used; `field` is spelled as in the request, dots for nesting."""

    field: str
    cause: str
    next_step: str = ""


class Problem(BaseModel):
    """The body of every error."""

    type: str
    title: str
    status: int
    detail: str
    next_step: str = ""
    errors: list[FieldError] = []


def problem(
    status: int, slug: str, detail: str, *, next_step: str = "", errors: list[FieldError] | None = None
) -> JSONResponse:
    """The response for one error. 401 and 503 carry the header that their callers look for."""
    return _response(described(status, slug, detail, next_step=next_step, errors=errors))


def described(
    status: int, slug: str, detail: str, *, next_step: str = "", errors: list[FieldError] | None = None
) -> Problem:
    """One error in words, for any face."""
    return Problem(
        type=f"urn:billhook:{slug}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        next_step=next_step,
        errors=errors or [],
    )


def _response(body: Problem) -> JSONResponse:
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": RETRY_AFTER_S}}.get(body.status)
    return JSONResponse(body.model_dump(exclude_defaults=True), body.status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""
    for kind in KINDS:
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, BillhookError):
        return refusal(error)
    answer = _response(told(request, error))
    if isinstance(error, HTTPException):
        answer.headers.update(error.headers or {})
    if answer.status_code == _NO_METHOD and (methods := _methods(request)):
        answer.headers["Allow"] = ", ".join(sorted(methods))
    return answer


def _methods(request: Request) -> set[str]:
    """All that this path takes among the calls; Starlette names those of the first route that has it."""
    routes: list[Route] = getattr(request.app.state, "calls", [])
    found = [one.methods for one in routes if one.matches(request.scope)[0] is not Match.NONE]
    return {method for methods in found for method in methods or ()}


def refusal(error: BillhookError) -> JSONResponse:
    """The response for a refusal of ours, and when to come again where it says so."""
    answer = _response(_refused(error))
    if wait := retry_after(error):
        answer.headers["Retry-After"] = wait
    return answer


def retry_after(error: Exception) -> str:
    """Seconds, or "" for an error that says none."""
    return str(getattr(error, "retry_after_s", ""))


def _refused(error: BillhookError) -> Problem:
    return described(error.status, error.slug, error.detail, next_step=error.next_step, errors=_named_fields(error))


def told(request: Request, error: Exception) -> Problem:
    """What is said of `error`, one of KINDS; what is ours to mend goes to the log."""
    match error:
        case BillhookError():
            return _refused(error)
        case RequestValidationError() | ValidationError():
            return _invalid(error)
        case HTTPException():
            slug = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
            next_step = _NEXT.get(error.status_code, "")
            return described(error.status_code, slug, str(error.detail), next_step=next_step)
        case RecordsUnavailable():
            log.error("database_unavailable", path=request.url.path, kind=type(error).__name__)
            return described(error.status, error.slug, error.detail, next_step=error.next_step)
        case SQLAlchemyError():
            log.error("database_failed", path=request.url.path, kind=type(error).__name__)
            return _DATABASE_AWAY
        case _:
            log.error("request_failed", path=request.url.path, kind=type(error).__name__)
            return _INTERNAL


def _named_fields(error: BillhookError) -> list[FieldError]:
    if not error.field:
        return []
    cause = error.cause if isinstance(error, BadInput) else error.detail.removeprefix(f"{error.field}: ")
    return [FieldError(field=error.field, cause=cause, next_step=error.next_step)]


def _invalid(error: RequestValidationError | ValidationError) -> Problem:
    found = error.errors()
    for item in found:
        if item["type"] == "json_invalid":
            return described(400, "undecodable", "the body is no JSON", next_step="send a JSON object in UTF-8")
    errors = [_of(item) for item in found]
    named = [f"{each.field}: {each.cause}" for each in errors[:_NAMED]]
    more = [f"and {len(errors) - _NAMED} more"] if len(errors) > _NAMED else []
    return described(422, BadInput.slug, "; ".join([*named, *more]), errors=errors)


def _of(item: Any) -> FieldError:
    words = complaint(item)
    return FieldError(field=_field(item["loc"]), cause=words.cause, next_step=words.next_step)


def _field(loc: tuple[int | str, ...]) -> str:
    parts = [part for part in loc if part not in _CHOSEN]
    parts = parts[1:] if parts and parts[0] in {"body", "query", "path", "header"} else parts
    return ".".join(str(part) for part in parts) or "body"


KINDS: Final[tuple[Any, ...]] = (
    BillhookError,
    RequestValidationError,
    ValidationError,
    HTTPException,
    SQLAlchemyError,
    Exception,
)
_DATABASE_AWAY: Final = described(
    503, "database-unreachable", "our database does not answer", next_step="try again shortly; see /readyz"
)
_INTERNAL: Final = described(500, "internal", "something of ours failed; it is in our log", next_step="try again later")
