"""Monthly runs: which months there are to bill, and what each run would do, before it is started and after."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from billing import keys
from billing.errors import NotFound
from billing.groups import BillingGroup, month_before
from billing.pace import says
from records.tokens import Scope
from starter.console.desk import Desk, UseDesk
from starter.console.render import page, say, see
from starter.console.route import DeskRoute
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute, prefix="/runs")

_MONTHS: Final = 4
# The one that is not over, the one that is run now, and two to compare with.


@router.get("", **needs(Scope.READ))
async def list_runs(request: Request, desk: UseDesk) -> Response:
    """The latest months of each billing group."""
    groups = desk.parts.motions.billing_groups
    rows = [row for group in groups for row in _months(group, desk.clock())]
    return page(request, "runs.html", rows=rows)


def _months(group: BillingGroup, now: datetime) -> Iterator[dict[str, Any]]:
    """From the one that its clock is in, backwards."""
    period = group.month_of(now)
    for _ in range(_MONTHS):
        ends_at = group.ends_at(period)
        yield {"group": group, "period": period, "ends_at": ends_at, "is_over": now >= ends_at}
        period = month_before(period)


@router.get("/{group}/{period}", **needs(Scope.READ))
async def show_run(request: Request, desk: UseDesk, group: str, period: str) -> Response:
    """Raises NotFound, BadInput."""
    found = _group(desk, group)
    reading = desk.plans.of(found, period)
    pace = says(reading.plan.pace) if reading.plan else ""
    return page(request, "run.html", group=found, period=period, reading=reading, plan=reading.plan, pace=pace,
                ends_at=found.ends_at(period))  # fmt: skip


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
