"""The command line, from the Typer application that runs it."""

import textwrap
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import typer

from docs.site.markdown import code, codes, page, prose, table
from starter.cli.app import app
from starter.cli.exits import Exit

_WIDE: Final = 84
# What the theme shows of a line without scrolling.
_HARD: Final = "\N{NO-BREAK SPACE}"
# Inside of an option and its value no line is broken.
_ENDS: Final = {
    Exit.OK: "done",
    Exit.REFUSED: "refused or failed: the request was understood, and the answer is no",
    Exit.USAGE: "usage: the command line is wrong, or a file that it names cannot be read",
    Exit.UNREACHABLE: "not reachable: the API, Temporal or the database gave no answer",
    Exit.NOT_ALLOWED: "not allowed: no token, a wrong one, or one without the scope",
    Exit.NOT_FOUND: "not found",
    Exit.TAKEN: "taken: a port, or the data directory",
    Exit.NOT_IN_ORDER: "checked and not in order: a person must mend what was found",
}


def text() -> str:
    about = "the commands themselves; `billhook COMMAND --help` prints the same"
    return page("Commands", about, _exits(), *(_command(path, one) for path, one in commands()))


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its whole name."""
    yield from _below("billhook", typer.main.get_command(app))


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, one in getattr(command, "commands", {}).items():
        yield from _below(f"{path} {name}", one)
    if not hasattr(command, "commands"):
        yield path, command


def _exits() -> str:
    return "## Exit codes\n\n" + table(("code", "means"), ((code(int(one)), _ENDS[one]) for one in Exit))


def _command(path: str, command: Any) -> str:
    words = [path, *(_spelled(one) for one in command.params if not _is_help(one))]
    usage = textwrap.fill(" ".join(word.replace(" ", _HARD) for word in words), _WIDE, subsequent_indent="    ",
                          break_long_words=False, break_on_hyphens=False).replace(_HARD, " ")  # fmt: skip
    rows = [(_names(one), _about(one)) for one in command.params if not _is_help(one)]
    return f"## {path}\n\n```\n{usage}\n```\n\n{prose(command.help)}\n\n{table(('', 'means'), rows)}"


def _is_help(parameter: Any) -> bool:
    return bool(parameter.name == "help")


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = _metavar(parameter)
        return name if parameter.required else f"[{name}]"
    spelled = parameter.opts[0] if parameter.is_flag else f"{parameter.opts[0]} {_metavar(parameter)}"
    return spelled if parameter.required else f"[{spelled}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name).strip("_").upper().replace("_", "-")


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return code(_metavar(parameter))
    return code(", ".join(parameter.opts))


def _choices(annotation: Any) -> Iterator[str]:
    """What may be said, where that is an enumeration, however it is wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(one.value) for one in annotation)
    for part in typing.get_args(annotation):
        yield from _choices(part)


def _about(parameter: Any) -> str:
    words = [str(parameter.help or "").replace("<", "\\<")]
    if choices := list(_choices(parameter.type_descriptor.annotation)):
        words.append(f"One of {codes(choices)}.")
    default = parameter.default
    if default not in (None, "", False, [], ()) and not callable(default):
        words.append(f"Default: {code(default)}.")
    if parameter.envvar:
        words.append(f"Also {code(parameter.envvar)}.")
    return " ".join(word for word in words if word)
