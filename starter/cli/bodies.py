"""JSON that a command is given, as a file or at stdin: what could not be sent is told before anything is."""

import json
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

from starter.cli.exits import Exit, Stop

_DEEPEST: Final = 100
# Levels. No body of ours has ten, and Python reads and writes some hundreds before it gives up, fewer the later it is.


def read_json(file: Path | None) -> Any:
    """A file's JSON; None for no file. Raises Stop(USAGE)."""
    if file is None:
        return None
    try:
        return _parsed(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Stop(Exit.USAGE, f"cause: {file} cannot be read: {error.strerror}", "next:  name a JSON file") from error
    except ValueError as error:
        raise Stop(Exit.USAGE, f"cause: {file} is no JSON: {error}", "next:  correct it there") from error


def read_stdin() -> Any:
    """The JSON at stdin. Raises Stop(USAGE)."""
    try:
        return _parsed(sys.stdin.read())
    except ValueError as error:
        raise Stop(Exit.USAGE, f"cause: stdin is no JSON: {error}", "next:  correct what writes it") from error


def _parsed(text: str) -> Any:
    """Raises ValueError, also on what Python takes for JSON and nobody else does."""
    try:
        found = json.loads(text, parse_constant=_no_number)
        if not _is_deep(found):
            json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
            return found
    except RecursionError:
        pass
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is no text") from None
    raise ValueError(f"it is nested deeper than {_DEEPEST} levels")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _within(one)]
    return bool(level)


def _within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
