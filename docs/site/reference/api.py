"""The HTTP API, from the application's own OpenAPI."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from docs.site.markdown import code, page, prose, table
from records.session import Database
from settings import Settings
from starter.http.app import create_app

_METHODS: Final = ("get", "put", "post", "patch", "delete")
_ERRORS: Final = """## Errors

Every error is `application/problem+json`: `type` is `urn:billhook:` and a stable word, which is what a program looks
at; `detail`, `next_step` and `errors` (each with `field`, `cause`, `next_step`) say in words what is wrong and what to
do. Every answer of 503 carries `Retry-After`.
"""


def schema() -> dict[str, Any]:
    """The OpenAPI of an application with no settings but the defaults."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), _env_file=None)
        database = Database(settings.database)
        found: dict[str, Any] = create_app(settings, database, _never).openapi()
    return found


async def _never() -> Any:
    raise AssertionError("nothing is started to read what the API says of itself")


def text() -> str:
    found = schema()
    calls = [_call(path, method, one) for path, method, one in operations(found)]
    models = [_model(name, one) for name, one in sorted(found["components"]["schemas"].items())]
    about = "the application's OpenAPI, which a running API gives at `/openapi.json`"
    return page("HTTP API", about, prose(found["info"]["description"]), _ERRORS, *calls, "## Bodies", *models)


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and what is said of each call."""
    for path, methods in found["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method.upper(), methods[method]


def _call(path: str, method: str, one: dict[str, Any]) -> str:
    scope = one.get("x-billhook-scope")
    needs = f"Needs a token with the scope `{scope}`." if scope else "Needs no token."
    words = prose(one.get("description"))
    parts = [f"## {method} {path}", f"{one.get('summary', '')}. {needs}", words, _asked(one), _answers(one)]
    return "\n\n".join(part for part in parts if part)


def _asked(one: dict[str, Any]) -> str:
    rows = [
        (code(found["name"]), found["in"], _type(found["schema"]), found.get("description", ""))
        for found in one.get("parameters", [])
    ]
    content = one.get("requestBody", {}).get("content", {})
    rows += [("body", kind, _type(body.get("schema", {})), "") for kind, body in content.items()]
    return table(("parameter", "in", "type", ""), rows).rstrip("\n")


def _answers(one: dict[str, Any]) -> str:
    rows = []
    for status, answer in one["responses"].items():
        kinds = {_type(body.get("schema", {})) for body in answer.get("content", {}).values()} - {""}
        rows.append((status, ", ".join(sorted(kinds)), answer["description"]))
    return table(("answer", "body", ""), rows).rstrip("\n")


def _model(name: str, one: dict[str, Any]) -> str:
    required = set(one.get("required", []))
    rows = [
        (code(field), _type(body), "yes" if field in required else _default(body), body.get("description", ""))
        for field, body in one.get("properties", {}).items()
    ]
    values = ", ".join(code(value) for value in one.get("enum", []))
    parts = [f"### {name}", prose(one.get("description")), values and f"One of {values}."]
    return "\n\n".join([part for part in parts if part] + [table(("field", "type", "needed", ""), rows)])


def _default(body: dict[str, Any]) -> str:
    default = body.get("default")
    return "no" if default in (None, [], {}, "") else f"no, {code(default)} without it"


def _type(schema: dict[str, Any]) -> str:
    """A type in a few words; a body's name links to where its fields are."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    for joined in ("anyOf", "oneOf"):
        if joined in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[joined]))
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    kind = str(schema.get("type", ""))
    return f"{kind} ({schema['format']})" if kind and "format" in schema else kind
