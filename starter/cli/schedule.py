"""`billhook schedule ...`: what Temporal starts by the clock."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.months import month
from starter.cli.output import AsJson, data, rows, say
from starter.cli.surroundings import settings_here
from starter.cli.temporal import with_temporal

if TYPE_CHECKING:
    from temporalio.client import Client

    from settings import Settings
    from starter.schedules import Shown

app: Final = typer.Typer(help="What Temporal starts by the clock.", no_args_is_help=True)

_GONE: Final = "motions.toml has no such billing group; `billhook schedule apply` removes it"
_UNKNOWN: Final = "no motions.toml is set here that could have its group; set BILLHOOK_MOTIONS_FILE"

Id = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id, as `billhook schedule show` prints it.")]


@app.command("apply")
def apply_(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove every group's run where no motions.toml is set at all.")
    ] = False,
) -> None:
    """Create the schedules or bring them up to date; remove the runs of groups that motions.toml no longer has.

    Every worker creates and updates them at its start; only this command removes. A pause is kept.
    """
    from starter import schedules  # noqa: PLC0415 - commands load what they need when they run

    async def work(client: "Client", settings: "Settings") -> list[str]:
        # What may not be removed is refused before anything is changed.
        removed = await schedules.remove_unplanned(client, settings, without_file=remove)
        return [*await schedules.apply(client, settings), *removed]

    for line in with_temporal(work):
        data(line)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print each schedule as the server has it."""
    from starter import schedules  # noqa: PLC0415

    async def work(client: "Client", settings: "Settings") -> "tuple[list[Shown], list[str], bool]":
        shown, unplanned = await schedules.show(client, settings), await schedules.unplanned(client, settings)
        return shown, unplanned, settings.motions_file is not None

    shown, unplanned, has_file = with_temporal(work)
    found = [_row(asdict(one)) for one in shown]
    rows(found, ("id", "says", "state", "next_at", "last_at", "running"), as_json=as_json)
    for schedule_id in unplanned:
        say(f"{schedule_id}: {_GONE if has_file else _UNKNOWN}")
    if any(not one["exists"] for one in found):
        raise Stop(Exit.NOT_IN_ORDER, "cause: a schedule is missing", "next:  billhook schedule apply")


@app.command()
def pause(schedule_id: Id, note: Annotated[str, typer.Option(help="Why, for whoever reads it.")]) -> None:
    """Hold a schedule until `resume`."""
    from starter import schedules  # noqa: PLC0415

    async def work(client: "Client", settings: "Settings") -> None:
        await schedules.pause(client, _known(schedule_id, settings), note)

    with_temporal(work)
    data(f"{schedule_id}  paused")


@app.command()
def resume(schedule_id: Id) -> None:
    """Let a schedule go on."""
    from starter import schedules  # noqa: PLC0415

    async def work(client: "Client", settings: "Settings") -> None:
        await schedules.resume(client, _known(schedule_id, settings))

    with_temporal(work)
    data(f"{schedule_id}  goes on")


@app.command()
def backfill(
    schedule_id: Id,
    first: Annotated[
        str, typer.Option("--from", metavar="PERIOD", callback=month, help="The first month to bill, such as 2026-07.")
    ],
    last: Annotated[str, typer.Option("--to", metavar="PERIOD", callback=month, help="The last month to bill.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fired.")] = False,
) -> None:
    """Fire a billing group's schedule for months that it missed, one after the other."""
    from settings import load_motions  # noqa: PLC0415
    from starter import schedules  # noqa: PLC0415

    settings = settings_here()
    group = load_motions(settings).group(_known(schedule_id, settings).removeprefix(schedules.RUN))
    if group is None:
        raise Stop(
            Exit.USAGE, f"cause: {schedule_id} bills no months", f"next:  name one that begins with {schedules.RUN}"
        )
    wanted = schedules.firings(group, first, last, datetime.now(UTC))
    if not dry_run:
        with_temporal(lambda client, _: schedules.backfill(client, schedule_id, wanted))
    for one in wanted:
        data(f"{one.period}  {'would be fired' if dry_run else 'fired'} as of {one.at:%Y-%m-%dT%H:%MZ}")


def _known(schedule_id: str, settings: "Settings") -> str:
    from starter import schedules  # noqa: PLC0415

    ids = [one.id for one in schedules.planned(settings)]
    if schedule_id not in ids:
        raise Stop(Exit.NOT_FOUND, f"cause: no schedule {schedule_id!r}", f"next:  use one of {', '.join(ids)}")
    return schedule_id


def _row(found: dict[str, Any]) -> dict[str, Any]:
    state = "missing" if not found["exists"] else f"paused: {found['note']}" if found["paused"] else "on"
    times = {
        name: found[name].isoformat(timespec="seconds") if found[name] else None for name in ("next_at", "last_at")
    }
    return {**found, "state": state, **times}
