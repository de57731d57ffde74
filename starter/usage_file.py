"""A file of usage events as it lies there: one event a line, read piece by piece, so that no file is too large.

A line that cannot be read is one line that cannot be read, whatever is in it. So a line break ends an event in CSV too,
inside quotes as well: a quote that nobody closes costs its own line, and not the rest of the file.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO, Final, NoReturn

from billing.errors import BadInput
from billing.metering import UsageEvent
from starter.metering import Unusable, sendable

MOST_LINE: Final = 16_384
# Bytes. The longest event that can be counted, every letter of it escaped, is half of that.
_COLUMNS: Final = tuple(UsageEvent.model_fields)
_BOM: Final = b"\xef\xbb\xbf"


class Format(StrEnum):
    """How the lines of a file are written."""

    CSV = "csv"
    JSONL = "jsonl"


Read = Callable[[str], Any]
"""What a line says, as a body over HTTP would. Raises BadInput."""


@dataclass(frozen=True)
class Piece:
    """A line as it stands in the file, with its end; or what fits of one that is too long, and then the rest of it."""

    line: int
    content: bytes
    begins: bool
    is_whole: bool

    @property
    def is_blank(self) -> bool:
        return self.is_whole and not self.content.strip()


def pieces(file: BinaryIO) -> Iterator[Piece]:
    """Line by line, from 1 on; a byte order mark is no part of the first."""
    line, begins = 0, True
    while content := file.readline(MOST_LINE):
        line += begins
        ends = content.endswith(b"\n")
        told = content.removeprefix(_BOM) if line == 1 and begins else content
        yield Piece(line, told, begins, is_whole=begins and (ends or len(content) < MOST_LINE))
        begins = ends


def read_header(header: Piece | None) -> Read:
    """How to read the lines of a CSV file. Raises BadInput on a header that does not name each field once."""
    if header is None:
        raise BadInput("header", "the file is empty", _WANTED)
    names = [name.strip() for name in _cells(_text(header))]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise BadInput("header", f"the first line does not name {', '.join(missing)}", _WANTED)
    others = [name for name in names if name not in _COLUMNS]
    if others or len(names) > len(_COLUMNS):
        repeated = sorted({name for name in names if names.count(name) > 1})
        wrong = ", ".join(repr(name) for name in others or repeated)
        raise BadInput("header", f"it names {wrong}, {'which is no field' if others else 'twice'}", _WANTED)
    return lambda text: _row(names, text)


_WANTED: Final = f"begin with the line {','.join(_COLUMNS)}, in any order, separated by commas"


def event_of(piece: Piece, read: Read) -> UsageEvent | Unusable:
    """What one line says, or why it cannot be counted."""
    body: Any = None
    try:
        body = read(_text(piece))
        return UsageEvent.of(body)
    except BadInput as error:
        return Unusable.of(body, error)


def read_json(text: str) -> Any:
    """The JSON of one line, stricter than Python's. Raises BadInput."""
    try:
        return json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
    except ValueError as error:
        raise BadInput("line", f"it is no JSON: {error}", "write one object a line") from None
    except RecursionError:
        raise BadInput("line", "it is nested too deeply", "write one object a line") from None


def _text(piece: Piece) -> str:
    if not piece.is_whole:
        raise BadInput("line", f"it is longer than {MOST_LINE:,} bytes", "no event is that long; mend it")
    try:
        text = piece.content.decode()
    except UnicodeDecodeError as error:
        raise BadInput("line", f"it is no UTF-8 from byte {error.start + 1} on", "save it as UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _row(names: list[str], text: str) -> dict[str, str]:
    cells = _cells(text)
    if len(cells) != len(names):
        raise BadInput("line", f"it has {len(cells)} fields, and the header {len(names)}", "quote what holds a comma")
    return dict(zip(names, cells, strict=True))


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise BadInput("line", f"it is no CSV: {error}", 'close each quote on its line; write " as "" in it') from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadInput(sendable(name[:100]), "it stands twice in one object", "send it once")
        found[name] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
