"""One reconciliation: every page of the API's invoices, then our own that no page had.

Run by a schedule and by `billhook reconcile`. It only reads and feeds events; whatever it is stopped at, the next run
begins anew and finds what is left.
"""

import asyncio
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities import reconcile_steps as steps
from billing.reconcile import GRACE, Difference
from billing.reconcile_report import Finding, ReconcileReport, Tally
from workflows import options, priorities

AT_ONCE: Final = 10
# Invoices looked at closely side by side: a tenth of what a worker takes, so that people's own steps go first.


class ReconcileStart(BaseModel):
    """The argument. What is below `dry_run` is set only when it continues as new."""

    model_config = ConfigDict(frozen=True)

    grace: timedelta = GRACE
    dry_run: bool = False

    run: str = ""
    cursor: str | None = None
    listed: bool = False
    after: str = ""
    report: ReconcileReport | None = None


@workflow.defn
class ReconcileWorkflow:
    """Answers its report. Fails only where the API refuses the list itself."""

    @workflow.init
    def __init__(self, start: ReconcileStart) -> None:
        self._start = start
        self._report = start.report or ReconcileReport(dry_run=start.dry_run)
        self._run = start.run or workflow.info().first_execution_run_id

    @workflow.run
    async def run(self, start: ReconcileStart) -> ReconcileReport:
        if not start.listed:
            await self._list(start.cursor)
        await self._look_for_unseen(start.after)
        self._show("done")
        return self._report

    @workflow.query(description="How far it is")
    def progress(self) -> ReconcileReport:
        return self._report

    async def _list(self, cursor: str | None) -> None:
        while True:
            asked = steps.Page(run=self._run, grace=self._start.grace, dry_run=self._start.dry_run, cursor=cursor)
            done: steps.PageDone = await workflow.execute_activity(
                steps.PAGE, asked, result_type=steps.PageDone, summary="compare a page", **_background(steps.PAGE)
            )
            self._report = self._report.plus(done.tally).model_copy(update={"pages": self._report.pages + 1})
            await self._look_at(done.tally.look)
            self._show("comparing")
            cursor = done.next_cursor
            if cursor is None:
                return
            self._continue_as_new_if_long({"cursor": cursor})

    async def _look_for_unseen(self, after: str) -> None:
        """The list is through: whatever of ours it did not have is asked for by id."""
        while True:
            asked = steps.Unseen(run=self._run, after=after)
            found: steps.UnseenDone = await workflow.execute_local_activity(
                steps.UNSEEN, asked, result_type=steps.UnseenDone, summary="what was not listed", **options.RECORDS
            )
            if not found.external_ids:
                return
            await self._look_at(found.external_ids)
            after = found.after
            self._continue_as_new_if_long({"listed": True, "after": after})

    async def _look_at(self, external_ids: tuple[str, ...]) -> None:
        for start in range(0, len(external_ids), AT_ONCE):
            chunk = external_ids[start : start + AT_ONCE]
            for tally in await asyncio.gather(*(self._look(external_id) for external_id in chunk)):
                self._report = self._report.plus(tally)

    async def _look(self, external_id: str) -> Tally:
        asked = steps.Look(run=self._run, grace=self._start.grace, dry_run=self._start.dry_run, external_id=external_id)
        try:
            found: Tally = await workflow.execute_activity(
                steps.LOOK, asked, result_type=Tally, summary="look closely", **_background(steps.LOOK)
            )
        except ActivityError as error:
            # One invoice that cannot be read hides no other.
            return Tally(compared=1, findings=(_refused(external_id, error),))
        return found

    def _show(self, doing: str) -> None:
        told = self._report
        workflow.set_current_details(
            f"{doing}: {told.pages} pages, {told.compared} compared, {told.moving} under way, "
            f"{told.healed_count} healed, {told.left_count} left for a person"
        )

    def _continue_as_new_if_long(self, place: dict[str, object]) -> None:
        if workflow.info().is_continue_as_new_suggested():
            state = {"run": self._run, "report": self._report, **place}
            workflow.continue_as_new(self._start.model_copy(update={"cursor": None, **state}))


def _background(activity: str) -> dict[str, Any]:
    """A comparison waits behind every invoice."""
    return options.outside(activity) | {"priority": priorities.UNWATCHED}


def _refused(external_id: str, error: ActivityError) -> Finding:
    cause = error.cause
    words = cause.message if isinstance(cause, ApplicationError) else str(cause or error)
    step = "look at it in the invoicing API, then run `billhook reconcile` again"
    return Finding(difference=Difference.UNREADABLE, external_id=external_id, evidence=words, next_step=step)
