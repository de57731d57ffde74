"""What is typed as text, held to UTF-8: ids, notes and reasons end up in addresses, bodies and trails.

A file's name is not held to it: the system names files by bytes, and any will do.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starter.cli.exits import Exit, Stop


def hold_to_utf_8(command: Any) -> None:
    """Have `command`, as Typer built it, and all below it refuse other text before they begin."""
    for below in getattr(command, "commands", {}).values():
        hold_to_utf_8(below)
    shown = {one.name: one.opts[0] for one in command.params}
    if command.callback:
        command.callback = partial(_checked, command.callback, shown)


def _checked(callback: Callable[..., Any], shown: Mapping[str, str], /, **given: Any) -> Any:
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            # A file comes as a Path.
            if isinstance(one, str):
                _check(shown.get(name, name), one)
    return callback(**given)


def _check(shown: str, text: str) -> None:
    """Python hands over each byte that is no UTF-8 as half of a surrogate pair, which nothing can encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        written = os.fsencode(text).decode(errors="backslashreplace")
        cause = f"cause: it is no text in UTF-8: {written}"
        raise Stop(Exit.USAGE, f"field: {shown}", cause, "next:  write it in UTF-8") from None
