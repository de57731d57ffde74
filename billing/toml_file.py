"""From policy.toml or motions.toml to complaints that a person can act on: each names the key, and the line if it can.

Neither `tomllib` nor pydantic knows where a value stood, so the file is read a second time, as lines, when something
is wrong with it.
"""

import re
import tomllib
from typing import Any, Final

from pydantic import ValidationError

from billing.complaints import complaint as complained
from billing.errors import BadInput

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_.\-\"' ]+?)\s*=")
_NEXT: Final = "correct the file; examples/{}.toml shows every key"

Path = tuple[str | int, ...]


def load_toml(text: str, what: str = "policy", next_step: str = "") -> dict[str, Any]:
    """Raises BadInput on `what` with the line, where the text is no TOML."""
    step = next_step or _NEXT.format(what)
    try:
        return tomllib.loads(text)
    except ValueError as error:
        # Of which TOMLDecodeError is one, and a number with too many digits another.
        raise BadInput(what, f"it is no TOML: {error}", step) from None
    except RecursionError:
        raise BadInput(what, "it is no TOML that can be read: it is nested too deeply", step) from None


def complaint(error: ValidationError | BadInput, text: str, what: str = "policy") -> BadInput:
    """The first thing wrong with `text`, under its dotted key and with its line."""
    if isinstance(error, BadInput):
        return _with_line(error.field, error.cause, text, what)
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return _with_line(field, f"no such key in the {what}", text, what)
    if first["type"] == "string_type" and isinstance(first["input"], int | float):
        cause = f'write it as a quoted decimal string, "{first["input"]}", not as a number'
        return _with_line(field, cause, text, what)
    return _with_line(field, str(complained(first)), text, what)


def _with_line(field: str, cause: str, text: str, what: str) -> BadInput:
    path: Path = tuple(int(part) if part.isdecimal() else part for part in field.split("."))
    line = _line_of(path, text)
    return BadInput(field or what, f"{cause} (line {line})" if line else cause, _NEXT.format(what))


def _line_of(path: Path, text: str) -> int | None:
    """The line of the longest part of `path` that the text spells out."""
    places = _places(text)
    return next((places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in places), None)


def _places(text: str) -> dict[Path, int]:
    places: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _within(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            places.setdefault(table, number)
        elif key := _KEY.match(line):
            places.setdefault((*table, *_parts(key[1])), number)
    return places


def _within(table: Path, counts: dict[Path, int]) -> Path:
    """A header's table under the last element of every array above it: `[approvers.limits]` is of the last approver."""
    path: Path = table[:1]
    for part in table[1:]:
        path = (*path, counts[path], part) if path in counts else (*path, part)
    return path


def _parts(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
