"""`billhook run ...`: the monthly runs, one per billing group."""

import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.months import Month
from starter.cli.output import AsJson, data, data_json, say
from starter.cli.records import with_database
from starter.cli.surroundings import settings_here
from starter.cli.temporal import with_temporal

if TYPE_CHECKING:
    from temporalio.client import Client

    from billing.groups import BillingGroup
    from billing.motions_file import MotionsFile
    from billing.run_plan import RunPlan
    from billing.run_status import RunStatus
    from records.session import Database
    from settings import Settings
    from starter.runs import Started

app: Final = typer.Typer(help="Monthly runs: usage invoices for every active subscription.", no_args_is_help=True)

Group = Annotated[str | None, typer.Option("--group", help="One billing group of motions.toml; all without it.")]

_TALK_EVERY: Final = 5_000
# Subscriptions read between two lines of talk: some seconds.


@app.command()
def plan(period: Month, group: Group = None, as_json: AsJson = False) -> None:
    """Show what a run would do: invoices, totals, who must look, what changed, how long. Nothing is started."""
    from settings import load_motions  # noqa: PLC0415 - commands load what they need when they run

    wanted = _groups(load_motions(settings_here()), group)
    plans = with_database(lambda database: _plans(database, wanted, period))
    if as_json:
        data_json([one.model_dump(mode="json") for one in plans])
        return
    from starter.cli.run_plan import told  # noqa: PLC0415

    for one in plans:
        for line in told(one):
            data(line)


@app.command()
def start(
    period: Month,
    group: Group = None,
    early: Annotated[
        bool, typer.Option("--early", help="Also a month that is not over: later usage goes into the next one.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who asks, for the record. Default: the user of this machine.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a month now. Repeating it starts only what has no invoice; a run that is under way is left alone."""
    from settings import load_motions  # noqa: PLC0415

    wanted = _groups(load_motions(settings_here()), group)
    asked = {"by": by or _user(), "now": datetime.now(UTC), "early": early}
    found = with_temporal(lambda client, settings: _start(client, settings, wanted, period, asked))
    if as_json:
        data_json([asdict(one) for one in found])
        return
    for one in found:
        data(one.workflow_id)
        say(f"{one.group}: started" if one.created else f"{one.group}: under way already; nothing was started")


async def _start(
    client: "Client", settings: "Settings", groups: "list[BillingGroup]", period: str, asked: dict[str, Any]
) -> "list[Started]":
    """`asked`: who, when, and whether early."""
    from starter import runs  # noqa: PLC0415

    for group in groups:
        # Of several none is started where one may not be.
        runs.check(group, period, asked["now"], early=asked["early"])
    return [await runs.start(client, settings, one, period, **asked) for one in groups]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user without a name.
        return "operator"


@app.command()
def status(period: Month, group: Group = None, as_json: AsJson = False) -> None:
    """Show how far a month's run is: invoices, amounts, rate, when it is through, who was left out and why."""
    from settings import load_motions  # noqa: PLC0415
    from starter.cli.run_status import never, told  # noqa: PLC0415

    wanted = _groups(load_motions(settings_here()), group)
    found = with_database(lambda database: _statuses(database, wanted, period))
    if as_json:
        data_json([_as_json(name, period, one) for name, one in found.items()])
        return
    for name, one in found.items():
        for line in never(name, period) if one is None else told(one):
            data(line)


async def _statuses(database: "Database", groups: "list[BillingGroup]", period: str) -> "dict[str, RunStatus | None]":
    from starter import runs  # noqa: PLC0415

    now = datetime.now(UTC)
    return {group.name: await runs.status(database, group.name, period, now) for group in groups}


def _as_json(group: str, period: str, run: "RunStatus | None") -> dict[str, Any]:
    """A month that was never run has no `started_at`."""
    if run is None:
        return {"group": group, "period": period, "started_at": None}
    return {**run.model_dump(mode="json"), "amounts": dict(run.amounts)}


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
