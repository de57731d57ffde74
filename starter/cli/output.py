"""Data on stdout, talk on stderr: the only place where a command writes."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]


def say(text: str) -> None:
    """One line of talk, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def data(text: str) -> None:
    """One line of data, on stdout."""
    sys.stdout.write(f"{text}\n")


def data_json(value: Any) -> None:
    """`value` as indented JSON on stdout."""
    data(json.dumps(value, indent=2, ensure_ascii=False))


def rows(found: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Rows as a plain table of `columns`, each as wide as it must be, or whole as JSON."""
    listed = [dict(one) for one in found]
    if as_json:
        data_json(listed)
        return
    lines = [list(columns), *([_cell(one.get(name)) for name in columns] for one in listed)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        data("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if not listed:
        say("none")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return printable(str(value))


def printable(text: str) -> str:
    """What others wrote may hold anything; a control character of theirs must not reach the terminal."""
    return "".join(one if one.isprintable() else " " for one in text)
