"""Monthly runs: which months there are to bill, what each run would do, and how far one is that was started."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from billing import keys
from billing.errors import NotFound
from billing.groups import BillingGroup, month_before
from billing.pace import says
from billing.run_status import RunStatus
from records import run_status
from records.tokens import Scope
from starter.console.desk import Desk, UseDesk
from starter.console.render import page, say, see
from starter.console.route import DeskRoute
from starter.console.temporal_ui import workflow_url
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute, prefix="/runs")

_MONTHS: Final = 4
# The one that is not over, the one that is run now, and two to compare with.
_LATEST: Final = 12
# Each is counted from its outcomes: 10,000 of them take some 30 ms.
_QUIET: Final = timedelta(minutes=10)
# A page of a run takes seconds; longer than this says that no worker takes it.


@router.get("", **needs(Scope.READ))
async def list_runs(request: Request, desk: UseDesk) -> Response:
    """The latest months of each billing group, and whatever else was run lately."""
    now = desk.clock()
    async with desk.parts.database.session() as session:
        runs = {(run.group, run.period): run for run in await run_status.latest(session, now, _LATEST)}
    rows = [row for group in desk.parts.motions.billing_groups for row in _months(group, now, runs)]
    shown = {(row["group"].name, row["period"]) for row in rows}
    others = [_row(group, run.period, now, run) for place, run in runs.items()
              if place not in shown and (group := desk.parts.motions.group(run.group))]  # fmt: skip
    return page(request, "runs.html", rows=[*rows, *others], quiet=_QUIET)


def _months(group: BillingGroup, now: datetime, runs: Mapping[tuple[str, str], RunStatus]) -> Iterator[dict[str, Any]]:
    """From the one that its clock is in, backwards."""
    period = group.month_of(now)
    for _ in range(_MONTHS):
        yield _row(group, period, now, runs.get((group.name, period)))
        period = month_before(period)


def _row(group: BillingGroup, period: str, now: datetime, run: RunStatus | None) -> dict[str, Any]:
    ends_at = group.ends_at(period)
    return {"group": group, "period": period, "ends_at": ends_at, "is_over": now >= ends_at, "run": run,
            "through_at": _through_at(run)}  # fmt: skip


@router.get("/{group}/{period}", **needs(Scope.READ))
async def show_run(request: Request, desk: UseDesk, group: str, period: str) -> Response:
    """Raises NotFound, BadInput."""
    found, now = _group(desk, group), desk.clock()
    reading = desk.plans.of(found, period)
    async with desk.parts.database.session() as session:
        run = await run_status.status(session, group, period, now)
    return page(
        request,
        "run.html",
        reading=reading,
        plan=reading.plan,
        pace=says(reading.plan.pace) if reading.plan else "",
        quiet=_QUIET,
        temporal_url=workflow_url(desk.parts.settings.temporal_ui_url, keys.run_id(group, period)) if run else "",
        **_row(found, period, now, run),
    )


def _through_at(run: RunStatus | None) -> datetime | None:
    """When all is out if the rest takes as long as what came before."""
    if run is None or run.eta_seconds is None:
        return None
    return run.at + timedelta(seconds=run.eta_seconds)


@router.post("/{group}/{period}/again", **needs(Scope.READ))
async def read_again(request: Request, desk: UseDesk, group: str, period: str) -> Response:
    """Raises NotFound, BadInput."""
    desk.plans.again(_group(desk, group), keys.checked_period(period))
    say(request, "The plan is being read anew.", "note")
    return see(request, f"/desk/runs/{group}/{period}")


def _group(desk: Desk, name: str) -> BillingGroup:
    found = desk.parts.motions.group(name)
    if found is None:
        raise NotFound(f"motions.toml has no billing group {name!r}", next_step="choose one of the list of runs")
    return found
