"""`billhook schedule ...`: what Temporal starts by the clock."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, rows
from starter.cli.temporal import with_temporal

if TYPE_CHECKING:
    from temporalio.client import Client

    from settings import Settings

app: Final = typer.Typer(help="What Temporal starts by the clock.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id, as `billhook schedule show` prints it.")]


@app.command("apply")
def apply_() -> None:
    """Create the schedules or bring them up to date; every worker does so at its start. A pause is kept."""
    from starter import schedules  # noqa: PLC0415 - commands load what they need when they run

    for line in with_temporal(schedules.apply):
        data(line)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print each schedule as the server has it."""
    from starter import schedules  # noqa: PLC0415

    found = [_row(asdict(one)) for one in with_temporal(schedules.show)]
    rows(found, ("id", "says", "state", "next_at", "last_at", "running"), as_json=as_json)
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
