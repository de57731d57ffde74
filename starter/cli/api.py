"""The HTTP API as the commands call it: address, token, and answers turned into words and exit codes."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starter.cli.exits import Exit, Stop
from starter.cli.wording import for_terminal
from starter.embedded import credentials
from telemetry import tracing

if TYPE_CHECKING:
    import httpx

DEFAULT_URL: Final = "http://127.0.0.1:8400"
_TIMEOUT_S: Final = 30.0
# An update waits for a workflow to answer; the API bounds that itself.
_BY_STATUS: Final = {
    401: Exit.NOT_ALLOWED, 403: Exit.NOT_ALLOWED, 404: Exit.NOT_FOUND,
    502: Exit.UNREACHABLE, 503: Exit.UNREACHABLE, 504: Exit.UNREACHABLE,
}  # fmt: skip


def known(name: str) -> str:
    """A variable of the environment or the file that it names, else of DATA_DIR/credentials.env, else ""."""
    if not os.environ.get(name) and (file := os.environ.get(f"{name}_FILE")):
        from settings import secret_in  # noqa: PLC0415

        return secret_in(f"{name}_FILE", Path(file))
    data_dir = Path(os.environ.get("BILLHOOK_DATA_DIR") or ".billhook")
    return os.environ.get(name) or credentials.read(data_dir).get(name, "")


def url() -> str:
    """The API's address."""
    return known(credentials.API_URL) or DEFAULT_URL


def call(method: str, path: str, *, body: Any = None, params: dict[str, Any] | None = None) -> Any:
    """The answer's JSON. Raises Stop with the refusal in words: field, cause, next step."""
    content = fetch(method, path, body=body, params=params)
    return json.loads(content) if content else None


def fetch(method: str, path: str, *, body: Any = None, params: dict[str, Any] | None = None) -> bytes:
    """The answer's bytes as they came. Raises Stop as `call` does."""
    import httpx  # noqa: PLC0415 - commands load what they need when they run

    headers = {"Authorization": f"Bearer {token()}"}
    given = {name: value for name, value in (params or {}).items() if value is not None}
    try:
        with httpx.Client(base_url=url(), headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
            tracing.watch_client(client)
            answer = client.request(method, path, json=body, params=given)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Stop(
            Exit.UNREACHABLE,
            f"cause: nothing answers at {url()} ({type(error).__name__})",
            "next:  start it with `billhook up`, or set BILLHOOK_API_URL",
        ) from error
    if answer.is_success:
        return answer.content
    raise refused(answer)


def token() -> str:
    """Of whoever calls. Raises Stop(NOT_ALLOWED) where there is none, or one that no header can carry."""
    token = known(credentials.TOKEN)
    if not token:
        raise Stop(
            Exit.NOT_ALLOWED,
            "cause: there is no token",
            "next:  set BILLHOOK_TOKEN, or run where `billhook up` keeps its data directory",
        )
    if not (token.isascii() and token.isprintable()):
        raise Stop(
            Exit.NOT_ALLOWED,
            "field: BILLHOOK_TOKEN",
            "cause: it holds a letter that no token has",
            "next:  set it as `billhook token create` printed it",
        )
    return token


def refused(answer: "httpx.Response") -> Stop:
    """A problem+json answer as field, cause and next step."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    cause = problem.get("detail") or problem.get("title") or f"the API answered {answer.status_code}"
    lines = [line for one in problem.get("errors") or [] for line in _of_field(one)] or [f"cause: {cause}"]
    step = f"next:  {for_terminal(str(problem.get('next_step') or ''), url)}"
    if problem.get("next_step") and step not in lines:
        lines.append(step)
    return Stop(code_of(answer.status_code), *lines)


def code_of(status: int) -> Exit:
    """How a command ends whose refusal has this HTTP status."""
    return _BY_STATUS.get(status, Exit.REFUSED)


def _of_field(one: dict[str, Any]) -> list[str]:
    step = for_terminal(str(one.get("next_step") or ""), url)
    named = {"field:": one.get("field"), "cause:": one.get("cause"), "next: ": step}
    return [f"{label} {text}" for label, text in named.items() if text]


def pages(path: str, params: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """Up to `limit` rows of a `{data, next_cursor}` list, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < limit:
        page = call("GET", path, params={**params, "cursor": cursor, "limit": min(100, limit - len(found))})
        found += page["data"]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    return found[:limit]
