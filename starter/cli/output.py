"""Data on stdout, talk on stderr: the only place where a command writes.

What is written may hold others' words, and none of them may steer the terminal: nothing unseen passes here, and in JSON
it is escaped, so that programs still get it whole.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from billing import untrusted

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]


def say(text: str) -> None:
    """Talk, on stderr."""
    sys.stderr.write(f"{untrusted.printable(text)}\n")
    sys.stderr.flush()


def data(text: str) -> None:
    """Data, on stdout."""
    sys.stdout.write(f"{untrusted.printable(text)}\n")


def data_json(value: Any) -> None:
    """`value` as indented JSON on stdout."""
    sys.stdout.write(f"{_escaped(json.dumps(value, indent=2, ensure_ascii=False))}\n")


def field(name: str, value: Any, width: int = 12) -> None:
    """One line of a page about one thing."""
    data(f"{name.ljust(width)} {_cell(value)}")


def rows(
    found: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str = "nothing to show"
) -> None:
    """Rows as a plain table of `columns`, each as wide as it must be, or whole as JSON.

    Where there are none stdout stays empty, and `empty` is said: what there is none of, and what would fill it.
    """
    listed = [dict(one) for one in found]
    if as_json:
        data_json(listed)
        return
    if not listed:
        say(empty)
        return
    lines = [list(columns), *([untrusted.no_formula(_cell(one.get(name))) for name in columns] for one in listed)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        data("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return printable(value)


def printable(text: object) -> str:
    """What others wrote, on one line of ours."""
    return untrusted.one_line(text, untrusted.TEXT_LIMIT)


def _escaped(text: str) -> str:
    """JSON whose strings hold nothing unseen but by its escape."""
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
