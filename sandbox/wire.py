"""JSON in and out, without a float in between.

Numbers with a point are read as `Decimal`. They are written as JSON numbers of at most 15 significant digits (the
models hold that bound), which a double carries there and back without loss; nothing is ever computed with one.
"""

import json
import secrets
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from sandbox.problems import Malformed


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def loads(text: str | bytes) -> Any:
    """Read JSON; fractions become `Decimal`. Raises `ValueError` (also on NaN and Infinity)."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def read_body(raw: bytes) -> Any:
    """Read a request's body; an empty one counts as `{}`. Raises `Malformed`."""
    try:
        content = loads(raw) if raw.strip() else {}
        json.dumps(
            content, default=str, ensure_ascii=False
        ).encode()  # half a surrogate pair can be read, but never written again
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not valid JSON.") from error
    return content


def _number(value: Any) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no place in JSON")
    return int(value) if value == value.to_integral_value() else float(value)


def dumps(value: Any) -> str:
    """Write compact JSON; text stays as it is, so that a log or a signature shows what was meant."""
    return json.dumps(value, default=_number, ensure_ascii=False, separators=(",", ":"))


def canonical(value: Any) -> str:
    """The same text for the same content, whatever the order of its keys."""
    return json.dumps(value, default=_number, sort_keys=True, separators=(",", ":"))


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(dumps(value), status, headers, media_type="application/json")


def new_id(prefix: str) -> str:
    """An opaque id: `inv_` and such, and 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"
