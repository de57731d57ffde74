"""A month on the command line: one that is none is a slip at the keyboard, told before anything is looked up."""

from typing import Annotated

import typer

from starter.cli.exits import Exit, Stop


def month(value: str) -> str:
    """`value` as it is. Raises Stop(USAGE) where it is no month that a calendar holds."""
    from billing.errors import BadInput  # noqa: PLC0415 - commands load what they need when they run
    from billing.groups import first_day  # noqa: PLC0415

    try:
        first_day(value)
    except BadInput as error:
        raise Stop(Exit.USAGE, "field: PERIOD", f"cause: {error.cause}", f"next:  {error.next_step}") from error
    return value


Month = Annotated[
    str, typer.Argument(metavar="PERIOD", callback=month, help="The month that is billed, for example 2026-10.")
]
