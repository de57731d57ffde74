"""Monthly runs by hand: started under the id that a schedule's would have, and how far one is."""

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from billing import keys, queues
from billing.errors import Conflict
from billing.groups import BillingGroup
from billing.queues import Queue
from billing.run_status import RunStatus
from records import run_status
from records.session import Database
from settings import Settings
from starter.client import EngineUnreachable
from workflows import priorities
from workflows.starting import CALL_TIMEOUT
from workflows.usage_run import RunStart, UsageRunWorkflow


class MonthNotOver(Conflict):
    """The month still takes usage where the group lives."""

    slug = "month-not-over"

    def __init__(self, group: BillingGroup, period: str, ends_at: datetime) -> None:
        super().__init__(
            f"{period} is not over in {group.zone} until {ends_at:%Y-%m-%dT%H:%MZ}",
            field="period",
            next_step="wait for its end, or run it early (--early): what is used after that goes into the next month",
        )


class MonthNotBegun(Conflict):
    """Nothing can have been used in it: a slip in the year must not bill every customer."""

    slug = "month-not-begun"

    def __init__(self, group: BillingGroup, period: str, begins_at: datetime) -> None:
        super().__init__(
            f"{period} does not begin in {group.zone} before {begins_at:%Y-%m-%dT%H:%MZ}",
            field="period",
            next_step="look at the year and the month; early (--early) is the present month alone",
        )


@dataclass(frozen=True)
class Started:
    """`created` is False where the month's run was under way already; nothing was started then."""

    group: str
    period: str
    workflow_id: str
    created: bool


def check(group: BillingGroup, period: str, now: datetime, *, early: bool = False) -> None:
    """Raises BadInput on a period that is none, MonthNotBegun, MonthNotOver unless `early`."""
    if now < (begins_at := group.begins_at(period)):
        raise MonthNotBegun(group, period, begins_at)
    ends_at = group.ends_at(period)
    if now < ends_at and not early:
        raise MonthNotOver(group, period, ends_at)


async def start(
    client: Client, settings: Settings, group: BillingGroup, period: str, *, by: str, now: datetime, early: bool = False
) -> Started:
    """Run `period` of `group`; `by` is the person who asks. Repeating it for a month that was run starts only what
    has no invoice yet. Raises BadInput on a period that is none, MonthNotBegun, MonthNotOver unless `early`,
    EngineUnreachable.
    """
    check(group, period, now, early=early)
    workflow_id = keys.run_id(group.name, period)
    try:
        await client.start_workflow(
            UsageRunWorkflow.run,
            RunStart(group=group.name, period=period, by=by),
            id=workflow_id,
            task_queue=queues.name(settings.task_queue, Queue.RUNS),
            priority=priorities.UNWATCHED,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"bill {period} of {group.name}, by {by}",
            rpc_timeout=CALL_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return Started(group.name, period, workflow_id, created=False)
    except RPCError as error:
        raise EngineUnreachable(error.message) from error
    return Started(group.name, period, workflow_id, created=True)


async def status(database: Database, group: str, period: str, now: datetime) -> RunStatus | None:
    """None where the month was never run. Raises BadInput on a period that is none."""
    keys.checked_period(period)
    async with database.session() as session:
        return await run_status.status(session, group, period, now)


async def latest(database: Database, now: datetime, limit: int = 50) -> list[RunStatus]:
    """The last runs of all groups, the newest first."""
    async with database.session() as session:
        return await run_status.latest(session, now, limit)
