"""`billhook invoice dossier|verify`: the file that shows later who decided what, and whether it is still whole."""

from pathlib import Path
from typing import Annotated

import typer

from starter.cli import api
from starter.cli.exits import Exit, Stop
from starter.cli.invoices import Key, path_of
from starter.cli.output import data, printable, say


def dossier(
    key: Key,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Where to write it. Default: stdout.")] = None,
) -> None:
    """Write an invoice's dossier: trigger, policy, decisions, trail, contents, calls, mails, events, each hashed."""
    content = api.fetch("GET", path_of(key, "dossier"))
    if out is None:
        typer.get_binary_stream("stdout").write(content)
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise Stop(
            Exit.USAGE, f"cause: {out} cannot be written: {error.strerror}", "next:  name another file"
        ) from error
    say(f"{out}: {len(content)} bytes; check it with `billhook invoice verify {out}`")


def verify(
    file: Annotated[Path, typer.Argument(help="A dossier, as `billhook invoice dossier` wrote it.")],
) -> None:
    """Check a dossier offline: exits 7 and names the entry where a byte was changed, added or taken away."""
    from audit.dossier_check import Broken  # noqa: PLC0415 - commands load what they need when they run
    from audit.dossier_check import verify as verified  # noqa: PLC0415

    try:
        found = verified(file.read_bytes())
    except OSError as error:
        raise Stop(Exit.USAGE, f"cause: {file} cannot be read: {error.strerror}", "next:  name a dossier") from error
    except Broken as broken:
        raise Stop(
            Exit.NOT_IN_ORDER,
            f"field: {printable(broken.where)}",
            f"cause: {printable(broken.why)}",
            "next:  take nothing in it for granted; write it anew with `billhook invoice dossier` and compare",
        ) from broken
    data(f"{printable(found.key)}  whole")
    for kind, count in found.counts.items():
        data(f"{printable(kind):12} {count}")
    data(f"trail head   {found.trail_head}")
    data(f"head         {found.head}")
