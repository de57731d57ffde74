"""Errors as an agent can act on them: which one it is, whether the same call may work later, and what to do next.

They say what the HTTP API says of the same trouble; nothing internal is told.
"""

import json
from http import HTTPStatus
from typing import Final

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel
from starlette.requests import Request

from billing.untrusted import plain
from starter.http.problems import told

_LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_ASK: Final = "read the invoice again, or leave it to a person"


class Refusal(BaseModel):
    """`error` is a stable word, `field` the argument that is wrong, if one is."""

    error: str
    detail: str
    field: str = ""
    retryable: bool
    next_step: str


def refusal(request: Request, error: Exception) -> Refusal:
    """`error` in these words; what is ours to mend goes to the log."""
    problem = told(request, error)
    field = problem.errors[0].field if problem.errors else ""
    steps = [problem.next_step, *(one.next_step for one in problem.errors), _ASK]
    return Refusal(
        error=problem.type.rpartition(":")[2],
        detail=plain(problem.detail),
        field=field,
        retryable=problem.status in _LATER,
        next_step=next(step for step in steps if step),
    )


def as_result(found: Refusal) -> CallToolResult:
    """As a tool's failed result: JSON in its text, and nothing structured. That would have to fit what the tool says it
    answers, and a client that looks whether it does would show nothing of the refusal."""
    return CallToolResult(content=[TextContent(type="text", text=json.dumps(found.model_dump()))], is_error=True)
