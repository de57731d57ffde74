"""`billhook trigger MOTION FILE`: bill this now."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from starter.cli import api
from starter.cli.bodies import read_json, read_stdin
from starter.cli.output import data, data_json, say


class TriggerMotion(StrEnum):
    """The motions that have a trigger of their own."""

    MILESTONE = "milestone"
    PROJECT = "project"
    QUOTE = "quote"
    OVERAGE = "overage"
    USAGE = "usage"


def trigger(
    motion: Annotated[TriggerMotion, typer.Argument(help="What was finished.")],
    file: Annotated[Path, typer.Argument(help="The trigger's JSON; - reads stdin.", allow_dash=True)],
    as_json: Annotated[bool, typer.Option("--json", help="The whole answer as JSON.")] = False,
) -> None:
    """Start an invoice. The same trigger again is folded into the first."""
    body = read_stdin() if str(file) == "-" else read_json(file)
    answer = api.call("POST", f"/triggers/{motion.value}", body=body)
    if as_json:
        data_json(answer)
        return
    data(answer["key"])
    say("started" if answer["created"] else "known already; nothing new was started")
