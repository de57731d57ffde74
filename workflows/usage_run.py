"""The monthly run of a billing group: every active subscription's month becomes an invoice's workflow of its own.

`UsageRunWorkflow` is one run; its id names group and month, so that one is under way at a time however it was started.
`UsageRunFiringWorkflow` is what a schedule starts: Temporal appends a time to the ids of those, so it is only a thin
one that knows its month from the nominal time of the firing and starts the run under its id. The run does not wait for
its invoices, which live for weeks; it waits only for room, so that the engine and the invoicing API are not flooded.
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.common import SearchAttributeKey, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities import run_steps as steps
from billing import keys
from billing.groups import BillingGroup, month_before
from workflows import options

BY_SCHEDULE: Final = "schedule"
PAGE: Final = 500
# Six events of history a page: 120 for 10,000 subscriptions.
CHUNK: Final = 50
# One transaction of some 30 ms, in which nobody else writes to SQLite.
PAGES: Final = 50
# Of one run's history; after that it continues as new, with 300 events.
_NOMINAL: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


class RunStart(BaseModel):
    """The argument: which month, who asked; `most_open` where not what the worker's settings say. What is below it is
    set only when it continues as new."""

    model_config = ConfigDict(frozen=True)

    group: str
    period: str
    by: str
    page: int = PAGE
    chunk: int = CHUNK
    pages: int = PAGES
    most_open: int | None = None

    run: str = ""
    at: datetime | None = None
    after: str = ""
    read: int = 0


class RunDone(BaseModel):
    """Everything is started; what became of each subscription is in our records."""

    read: int


@workflow.defn
class UsageRunWorkflow:
    """One run of one month, page by page, each followed by the next one or by the end."""

    @workflow.run
    async def run(self, start: RunStart) -> RunDone:
        after, read = start.after, start.read
        run, at = start.run or workflow.info().first_execution_run_id, start.at or workflow.now()
        for _ in range(start.pages):
            done = await self._page(start, run, at, after)
            after, read = done.after, read + done.read
            workflow.set_current_details(f"{read} subscriptions read{': all of them' if done.is_last else ''}")
            if done.is_last:
                return RunDone(read=read)
        following = {"run": run, "at": at, "after": after, "read": read}
        return workflow.continue_as_new(start.model_copy(update=following))

    async def _page(self, start: RunStart, run: str, at: datetime, after: str) -> steps.RunPageDone:
        asked = steps.RunPage(
            group=start.group,
            period=start.period,
            run=run,
            by=start.by,
            at=at,
            after=after,
            page=start.page,
            chunk=start.chunk,
            most_open=start.most_open,
        )
        done: steps.RunPageDone = await workflow.execute_activity(
            steps.PAGE, asked, result_type=steps.RunPageDone, summary=f"after {after or 'none'}", **options.RUN
        )
        return done


class Firing(BaseModel):
    """What a schedule starts with: whose month, in which zone."""

    model_config = ConfigDict(frozen=True)

    group: str
    zone: str


@workflow.defn
class UsageRunFiringWorkflow:
    """Runs the month before the firing's nominal time in the group's zone, and ends with the run, or where it is under
    way already. Whoever terminates it leaves the run alone."""

    @workflow.run
    async def run(self, start: Firing) -> str:
        period = self._period(start)
        try:
            await workflow.execute_child_workflow(
                UsageRunWorkflow.run,
                RunStart(group=start.group, period=period, by=BY_SCHEDULE),
                id=keys.run_id(start.group, period),
                parent_close_policy=ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=f"bill {period} of {start.group}, by schedule",
            )
        except WorkflowAlreadyStartedError:
            return f"{period}: under way already"
        return f"{period}: run"

    def _period(self, start: Firing) -> str:
        """By the time for which it was planned, never by now: a firing that is late bills its own month."""
        nominal = workflow.info().typed_search_attributes.get(_NOMINAL)
        if nominal is None:
            raise ApplicationError(
                "no schedule fired this; start a run with `billhook run start PERIOD`", non_retryable=True
            )
        return month_before(BillingGroup(name=start.group, zone=start.zone).month_of(nominal))
