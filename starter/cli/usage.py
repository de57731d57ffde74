"""`billhook usage ...`: what was used, from files into the records, and what a month has of it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from starter.cli.api import url
from starter.cli.exits import Exit, Stop
from starter.cli.months import Month
from starter.cli.output import AsJson, data, data_json, field, printable, rows, say
from starter.cli.records import with_database
from starter.cli.surroundings import settings_here
from starter.cli.wording import for_terminal

if TYPE_CHECKING:
    from records.session import Database
    from starter.usage_file import Format
    from starter.usage_import import Summary

app: Final = typer.Typer(help="What was used: events from a file, and what a month has.", no_args_is_help=True)

_STDIN: Final = Path("-")
_ENDINGS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="One event a line; - reads stdin.", allow_dash=True)],
    written: Annotated[str | None, typer.Option("--format", help="csv or jsonl; default: by the file's name.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where refused lines go; default: FILE.rejected.csv or .jsonl beside it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count the usage events of a file of any size, each once, however often it is imported; exits 1 if any is refused.

    A CSV file begins with a line that names event_id, subscription_id, meter, quantity and at. Lines that are refused
    stop none of the others; they are written to a file of their own, to be mended there and imported.
    """
    form = _format(file, written)
    kept = rejects or Path(f"{'stdin' if file == _STDIN else file}.rejected.{form.value}")
    _check_free(kept)
    with _opened(file) as opened:
        summary = with_database(lambda database: _imported(database, opened, form, kept))
    if as_json:
        data_json(summary.model_dump(mode="json"))
    else:
        _show(summary)
    if summary.refused:
        next_step = f"next:  mend {summary.rejects} and import it"
        raise Stop(Exit.REFUSED, f"cause: {summary.refused:,} of {summary.read:,} events are refused", next_step)


def _format(file: Path, written: str | None) -> "Format":
    from starter.usage_file import Format  # noqa: PLC0415 - commands load what they need when they run

    try:
        return Format(written or _ENDINGS.get(file.suffix.lower(), ""))
    except ValueError:
        cause = f"{written!r} is no format" if written else f"the name {str(file)!r} does not tell the format"
        raise Stop(Exit.USAGE, f"cause: {cause}", "next:  add --format csv or --format jsonl") from None


def _check_free(rejects: Path) -> None:
    """Before anything is counted: what is refused must have a place."""
    if rejects.exists():
        cause = f"{rejects} is there already, and may hold what waits to be mended"
        raise Stop(Exit.USAGE, f"cause: {cause}", "next:  remove it, or name another file with --rejects")
    if not os.access(rejects.parent, os.W_OK):
        cause = f"refused lines could not be written to {rejects}"
        raise Stop(Exit.USAGE, f"cause: {cause}", "next:  name another file with --rejects")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        raise Stop(Exit.USAGE, f"cause: {file} cannot be read: {error.strerror}", "next:  name a file") from error
    with opened:
        yield opened


async def _imported(database: "Database", file: BinaryIO, form: "Format", rejects: Path) -> "Summary":
    from settings import load_motions  # noqa: PLC0415
    from starter.usage_import import Importer, Rejects  # noqa: PLC0415

    groups = {group.name: group for group in load_motions(settings_here()).billing_groups}
    with Rejects(rejects) as kept:
        return await Importer(database, groups, kept, say).run(file, form)


def _show(summary: "Summary") -> None:
    late = sum(summary.late.values())
    months = ", ".join(f"{count:,} into {month}" for month, count in sorted(summary.late.items()))
    field("read", f"{summary.read:,}")
    field("counted", f"{summary.counted:,}" + (f", {late:,} of them late: {months}" if late else ""))
    field("known", f"{summary.known:,} were counted before")
    field("overages", f"{summary.overages:,} invoices came of them")
    field("refused", f"{summary.refused:,}" + (f", kept in {summary.rejects}" if summary.rejects else ""))
    for one in summary.refusals:
        words = "; ".join(part for part in (f"{one.field}: {one.reason}", for_terminal(one.next_step, url)) if part)
        data(f"  line {one.line}  {printable(words)}")
    if summary.refused > len(summary.refusals):
        data(f"  and {summary.refused - len(summary.refusals):,} more")


@app.command()
def show(
    subscription: Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="The subscription's id.")],
    period: Month,
    as_json: AsJson = False,
) -> None:
    """Print what a month bills of each meter: all of it, what of it came late, what an overage has billed."""
    found = with_database(lambda database: _month(database, subscription, period))
    if as_json:
        data_json(found)
        return
    data(f"{subscription}  {period}  {'closed' if found['closed'] else 'open'}")
    listed = [{**one, "late": ", ".join(f"{many} in {month}" for month, many in one["late"].items())}
              for one in found["meters"]]  # fmt: skip
    empty = "nothing was used; `billhook usage import FILE` counts what was"
    rows(listed, ("meter", "used", "late", "as_overage"), as_json=False, empty=empty)


async def _month(database: "Database", subscription_id: str, period: str) -> dict[str, Any]:
    from billing.money import plain_text  # noqa: PLC0415
    from records import subscriptions, usage  # noqa: PLC0415

    async with database.session() as session:
        if await subscriptions.get_subscription(session, subscription_id) is None:
            step = f"next:  billhook subscription put {subscription_id} FILE"
            raise Stop(Exit.NOT_FOUND, f"cause: no subscription {subscription_id!r}", step)
        used = (await usage.used(session, [subscription_id], period)).get(subscription_id, {})
        closed = (subscription_id, period) in await usage.closed(session, [subscription_id], period)
    meters = [
        {
            "meter": meter,
            "used": plain_text(one.used),
            "late": {month: plain_text(quantity) for month, quantity in sorted(one.late.items())},
            "as_overage": plain_text(one.as_overage),
        }
        for meter, one in sorted(used.items())
    ]
    return {"subscription_id": subscription_id, "period": period, "closed": closed, "meters": meters}
