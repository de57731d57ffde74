"""Everything that Temporal starts by the clock, in one place: what it is, and that the server has it so.

A worker applies these at its start, so that they exist wherever Billhook runs (`billhook up`, docker compose, a bare
process) without a step that somebody could forget. Applying is idempotent, and a pause that a person set is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from billing import queues
from billing.errors import BadInput
from billing.groups import BillingGroup, first_day, month_after
from billing.queues import Queue
from settings import Settings, load_motions
from workflows import priorities, usage_run
from workflows.reconcile import ReconcileStart, ReconcileWorkflow
from workflows.starting import CALL_TIMEOUT
from workflows.usage_run import UsageRunFiringWorkflow

RECONCILE: Final = "billhook-reconcile"
RUN: Final = "billhook-run-"
# A group's name follows.
RUN_HOUR: Final = 9
# Local time: late enough that the last hour's usage is told, and that somebody is there.
CATCH_UP: Final = timedelta(days=45)
# Whatever was down comes back within that. Two firings at the most lie in it: one is run, the other is buffered; of a
# third one would be dropped.
_LONGEST_RUN: Final = timedelta(hours=6)
# An account of a hundred thousand invoices takes minutes; past this it waits for an API that does not come back.
_AROUND: Final = timedelta(minutes=1)
# Whether the ends of a backfill belong to it the server's versions see differently.
_JITTER: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class Planned:
    """A schedule as it should be; `says` is for people."""

    id: str
    says: str
    schedule: Schedule


@dataclass(frozen=True)
class Shown:
    """A schedule as the server has it; None where it has none."""

    id: str
    says: str
    exists: bool
    paused: bool = False
    note: str = ""
    next_at: datetime | None = None
    last_at: datetime | None = None
    running: int = 0


def planned(settings: Settings) -> list[Planned]:
    """Every schedule of Billhook's. Raises BadInput where motions.toml cannot be read."""
    return [_reconcile(settings), *(of_group(settings, group) for group in load_motions(settings).billing_groups)]


def of_group(settings: Settings, group: BillingGroup) -> Planned:
    """The monthly run of one billing group."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            UsageRunFiringWorkflow.run,
            usage_run.Firing(group=group.name, zone=group.zone),
            id=f"{RUN}{group.name}",
            task_queue=queues.name(settings.task_queue, Queue.RUNS),
            priority=priorities.UNWATCHED,
            static_summary=f"bill the month before for {group.name}",
        ),
        spec=ScheduleSpec(
            calendars=[ScheduleCalendarSpec(day_of_month=[ScheduleRange(1)], hour=[ScheduleRange(RUN_HOUR)])],
            time_zone_name=group.zone,
        ),
        policy=SchedulePolicy(
            # The default would drop a month while the one before is still being run.
            overlap=ScheduleOverlapPolicy.BUFFER_ONE,
            catchup_window=CATCH_UP,
        ),
    )
    return Planned(f"{RUN}{group.name}", f"bill the month before, on the 1st at 09:00 in {group.zone}", schedule)


def _reconcile(settings: Settings) -> Planned:
    every = timedelta(minutes=settings.reconcile_minutes)
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            ReconcileWorkflow.run,
            ReconcileStart(grace=timedelta(seconds=settings.reconcile_grace_s)),
            id=RECONCILE,
            task_queue=settings.task_queue,
            execution_timeout=_LONGEST_RUN,
            static_summary="compare the invoicing API with our records",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)], jitter=_JITTER, time_zone_name="UTC"),
        policy=SchedulePolicy(
            # A run compares everything: one that is skipped loses nothing, one that waits in line adds nothing.
            overlap=ScheduleOverlapPolicy.SKIP,
            # After an outage the next run alone catches up with all of it.
            catchup_window=every,
        ),
    )
    return Planned(RECONCILE, f"reconcile every {settings.reconcile_minutes} minutes", schedule)


async def apply(client: Client, settings: Settings) -> list[str]:
    """Create what is missing and bring the rest up to date; what was done, in words. Raises RPCError."""
    return [await _apply(client, one) for one in planned(settings)]


async def remove_unplanned(client: Client, settings: Settings, *, without_file: bool = False) -> list[str]:
    """Take away the monthly runs of groups that motions.toml no longer has; what was done, in words. Nobody else's
    schedule is touched: ours start our workflow on our queue.

    Where no motions.toml is set they are taken `without_file` only, since the setting may be missing here alone.
    Raises RPCError, BadInput.
    """
    found = await unplanned(client, settings)
    if found and settings.motions_file is None and not without_file:
        raise BadInput(
            "motions_file",
            f"no motions.toml is set here, so nothing says whether {', '.join(found)} may go; nothing was changed",
            "set BILLHOOK_MOTIONS_FILE to the one that the workers have; "
            "if there is none any more, run `billhook schedule apply --remove`",
        )
    for schedule_id in found:
        await client.get_schedule_handle(schedule_id).delete(rpc_timeout=CALL_TIMEOUT)
    return [f"{one}: removed, motions.toml has no such billing group" for one in found]


async def unplanned(client: Client, settings: Settings) -> list[str]:
    """Ids of schedules of ours whose group is gone. The server lists a new one after a moment. Raises as above."""
    wanted = {one.id for one in planned(settings)}
    listed = [one.id async for one in await client.list_schedules() if one.id.startswith(RUN)]
    return [one for one in sorted(listed) if one not in wanted and await _is_ours(client, one, settings)]


async def _is_ours(client: Client, schedule_id: str, settings: Settings) -> bool:
    described = await client.get_schedule_handle(schedule_id).describe(rpc_timeout=CALL_TIMEOUT)
    action = described.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        return False
    queue = queues.name(settings.task_queue, Queue.RUNS)
    return (action.workflow, action.task_queue) == (UsageRunFiringWorkflow.__name__, queue)


async def _apply(client: Client, plan: Planned) -> str:
    try:
        await client.create_schedule(plan.id, plan.schedule, rpc_timeout=CALL_TIMEOUT)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(plan.id).update(_kept_paused(plan), rpc_timeout=CALL_TIMEOUT)
        return f"{plan.id}: up to date, {plan.says}"
    return f"{plan.id}: created, {plan.says}"


def _kept_paused(plan: Planned) -> Callable[[ScheduleUpdateInput], ScheduleUpdate]:
    def update(found: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = plan.schedule
        schedule.state = found.description.schedule.state
        return ScheduleUpdate(schedule)

    return update


async def show(client: Client, settings: Settings) -> list[Shown]:
    """Every schedule of ours as the server has it. Raises RPCError."""
    return [await _show(client, one) for one in planned(settings)]


async def _show(client: Client, plan: Planned) -> Shown:
    try:
        found = await client.get_schedule_handle(plan.id).describe(rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Shown(plan.id, plan.says, exists=False)
        raise
    return _described(plan, found)


def _described(plan: Planned, found: ScheduleDescription) -> Shown:
    info, state = found.info, found.schedule.state
    last: Any = info.recent_actions[-1] if info.recent_actions else None
    return Shown(
        plan.id,
        plan.says,
        exists=True,
        paused=state.paused,
        note=state.note or "",
        next_at=info.next_action_times[0] if info.next_action_times and not state.paused else None,
        last_at=last.started_at if last else None,
        running=len(info.running_actions),
    )


@dataclass(frozen=True)
class Firing:
    """A firing of a group's schedule, and the month that it bills."""

    period: str
    at: datetime


def firings(group: BillingGroup, first: str, last: str, now: datetime) -> list[Firing]:
    """Those that bill the months `first` to `last`. Raises BadInput where that is no range of months that are over."""
    found = []
    period = first
    while first_day(period) <= first_day(last):
        at = datetime.combine(first_day(month_after(period)), time(RUN_HOUR), ZoneInfo(group.zone)).astimezone(UTC)
        if at > now:
            raise BadInput("to", f"{period} is billed on {at:%Y-%m-%dT%H:%MZ}", "name months whose run is due already")
        found.append(Firing(period, at))
        period = month_after(period)
    if not found:
        raise BadInput("to", f"{last} is before {first}", "name the first month, then the last one")
    return found


async def backfill(client: Client, schedule_id: str, wanted: list[Firing]) -> None:
    """Fire these now, one after the other. A month that was run starts nothing twice. Raises RPCError."""
    request = ScheduleBackfill(
        start_at=wanted[0].at - _AROUND, end_at=wanted[-1].at + _AROUND, overlap=ScheduleOverlapPolicy.BUFFER_ALL
    )
    await client.get_schedule_handle(schedule_id).backfill(request, rpc_timeout=CALL_TIMEOUT)


async def pause(client: Client, schedule_id: str, note: str) -> None:
    """Hold it until `resume`; applying leaves it held. Raises RPCError."""
    await client.get_schedule_handle(schedule_id).pause(note=note, rpc_timeout=CALL_TIMEOUT)


async def resume(client: Client, schedule_id: str) -> None:
    """Raises RPCError."""
    await client.get_schedule_handle(schedule_id).unpause(rpc_timeout=CALL_TIMEOUT)
