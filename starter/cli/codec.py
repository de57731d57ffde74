"""`billhook codec ...`: the keys that seal what Temporal keeps. See docs/security.md for how they are changed."""

from typing import Annotated, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.output import data, say

app: Final = typer.Typer(help="Keys that seal what Temporal keeps.", no_args_is_help=True)


@app.command()
def key(
    name: Annotated[
        str, typer.Argument(help="Its id, which stands in the clear beside all it seals, such as 2026-12.")
    ],
) -> None:
    """Make a key and print it, once, as BILLHOOK_PAYLOAD_KEYS takes it."""
    from billing.payload_keys import new_key  # noqa: PLC0415 - commands load what they need when they run

    try:
        made = new_key(name)
    except ValueError as error:
        raise Stop(Exit.USAGE, f"field: NAME\ncause: {error}") from error
    data(made)
    say("put it first in BILLHOOK_PAYLOAD_KEYS of every process once all of them hold it further back")
