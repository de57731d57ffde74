"""What OpenAPI says of every call beside its own words: how it is refused, by whom, and with which headers.

A refusal is not a route's business, so no route lists it; a reader of the description has to know it all the same, and
a client that is made from it. Held by tests/starter/test_http_schema.py, which plays the description against the API.
"""

from collections.abc import Iterator
from typing import Any, Final

from starter.http.auth import SCHEME
from starter.http.problems import MEDIA_TYPE, Problem

_REFUSED: Final = {"schema": {"$ref": "#/components/schemas/Problem"}}
_WORDS: Final = {
    400: "The body cannot be read",
    404: "Nothing of ours has that name",
    409: "It is well formed and contradicts what stands",
    413: "The body is larger than 1 MiB",
    422: "A field cannot be used; `errors` names it",
    429: "Too many requests of this token or address; see Retry-After",
    503: "Our database or Temporal does not answer; send it again",
}
_HEADERS: Final = {
    401: ("WWW-Authenticate", "Bearer"),
    429: ("Retry-After", "Seconds until the next request is taken"),
    503: ("Retry-After", "Seconds"),
}
_UNCOUNTED: Final = frozenset({"/healthz", "/readyz"})
_WRITES: Final = frozenset({"post", "put"})
_BODY: Final = {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
# A webhook's is read raw, for its signature; what it holds is its sender's to say.


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's schema, completed in place."""
    parts = schema.setdefault("components", {})
    parts.setdefault("securitySchemes", {})[SCHEME] = {
        "type": "http", "scheme": "bearer", "description": "A token made by `billhook token create`",
    }  # fmt: skip
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schemas["Problem"].pop("$defs", {})
    for path, calls in schema["paths"].items():
        for method, call in calls.items():
            _complete(path, method, call)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return schema


def _complete(path: str, method: str, call: dict[str, Any]) -> None:
    if path.startswith("/webhooks/"):
        call["requestBody"] = _BODY
    responses = call["responses"]
    for status in _refusals(path, method, call):
        words = responses.get(str(status), {}).get("description") or _WORDS[status]
        told = {"description": _WORDS[status] if words == "Validation Error" else words}
        responses[str(status)] = told | {"content": {MEDIA_TYPE: _REFUSED}} | _headers(status)


def _headers(status: int) -> dict[str, Any]:
    if status not in _HEADERS:
        return {}
    name, words = _HEADERS[status]
    return {"headers": {name: {"description": words, "required": True, "schema": {"type": "string"}}}}


def _refusals(path: str, method: str, call: dict[str, Any]) -> Iterator[int]:
    """The statuses of this call's refusals, its own among them. `/readyz` says no in a form of its own."""
    yield from (int(status) for status in call["responses"] if status[0] == "4")
    if path not in _UNCOUNTED and "429" not in call["responses"]:
        yield from (429, 503)
    if "requestBody" in call:
        yield from (400, 413)
    if method in _WRITES and "security" in call:
        yield 409
    if "{" in path:
        yield 404
    if call.get("parameters") or "requestBody" in call:
        yield 422
