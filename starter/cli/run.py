"""`billhook run ...`: the monthly runs, one per billing group."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, data_json, say
from starter.cli.records import with_database

if TYPE_CHECKING:
    from billing.groups import BillingGroup
    from billing.motions_file import MotionsFile
    from billing.run_plan import RunPlan
    from records.session import Database

app: Final = typer.Typer(help="Monthly runs: usage invoices for every active subscription.", no_args_is_help=True)

Period = Annotated[str, typer.Argument(metavar="PERIOD", help="The month that is billed, for example 2026-10.")]
Group = Annotated[str | None, typer.Option("--group", help="One billing group of motions.toml; all without it.")]

_TALK_EVERY: Final = 5_000
# Subscriptions read between two lines of talk: some seconds.


@app.callback()
def _group() -> None:
    """Keeps `plan` a command of its own while it is the only one."""


@app.command()
def plan(period: Period, group: Group = None, as_json: AsJson = False) -> None:
    """Show what a run would do: invoices, totals, who must look, what changed, how long. Nothing is started."""
    from settings import load_motions, load_settings  # noqa: PLC0415 - commands load what they need when they run

    wanted = _groups(load_motions(load_settings()), group)
    plans = with_database(lambda database: _plans(database, wanted, period))
    if as_json:
        data_json([one.model_dump(mode="json") for one in plans])
        return
    from starter.cli.run_plan import told  # noqa: PLC0415

    for one in plans:
        for line in told(one):
            data(line)


def _groups(motions: "MotionsFile", name: str | None) -> "list[BillingGroup]":
    """Raises Stop where motions.toml has no such group, or none at all."""
    found = [group for group in motions.billing_groups if name in {None, group.name}]
    if found:
        return found
    known = ", ".join(group.name for group in motions.billing_groups)
    if known:
        raise Stop(Exit.NOT_FOUND, f"cause: motions.toml has no billing group {name!r}", f"next:  use one of {known}")
    raise Stop(
        Exit.NOT_FOUND,
        "cause: there is no billing group, so nothing is run by the month",
        "next:  add [[billing_groups]] with a name and a zone to the file that BILLHOOK_MOTIONS_FILE names",
    )


async def _plans(database: "Database", groups: "list[BillingGroup]", period: str) -> "list[RunPlan]":
    from settings import load_policy, load_settings  # noqa: PLC0415
    from starter.run_planning import planner  # noqa: PLC0415

    settings = load_settings()
    planning = planner(database, load_policy(settings), settings)
    return [await planning.plan(group, period, datetime.now(UTC), _Talk(group.name)) for group in groups]


class _Talk:
    """Says on stderr how far it is, now and then."""

    def __init__(self, group: str) -> None:
        self._group, self._next = group, _TALK_EVERY

    def __call__(self, read: int) -> None:
        if read >= self._next:
            say(f"{self._group}: {read:,} subscriptions read")
            self._next = read + _TALK_EVERY
