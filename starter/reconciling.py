"""Reconcile now: the same workflow that the schedule runs, started by hand and followed to its end."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError

from billing.errors import BillhookError
from billing.reconcile_report import ReconcileReport
from settings import Settings
from starter.client import EngineUnreachable
from workflows.reconcile import ReconcileStart, ReconcileWorkflow
from workflows.starting import CALL_TIMEOUT

BY_HAND: Final = "billhook-reconcile-by-hand"
_LOOK_S: Final = 3.0
Handle = WorkflowHandle[ReconcileWorkflow, ReconcileReport]
Hear = Callable[[str], None]


class ReconcileFailed(BillhookError):
    """The run could not be made: the invoicing API refused its list, or somebody ended the run."""

    status = 502
    slug = "reconcile-failed"


async def reconcile(client: Client, settings: Settings, hear: Hear, *, dry_run: bool = False) -> ReconcileReport:
    """The run's report; `hear` is told how far it is. Joins a run by hand that is under way.

    Raises EngineUnreachable, ReconcileFailed.
    """
    start = ReconcileStart(grace=timedelta(seconds=settings.reconcile_grace_s), dry_run=dry_run)
    try:
        handle = await client.start_workflow(
            ReconcileWorkflow.run,
            start,
            id=f"{BY_HAND}-dry" if dry_run else BY_HAND,
            task_queue=settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="compare the invoicing API with our records, by hand",
            rpc_timeout=CALL_TIMEOUT,
        )
        return await _followed(handle, hear)
    except RPCError as error:
        raise EngineUnreachable(error.message) from error
    except WorkflowFailureError as error:
        raise ReconcileFailed(_cause(error), next_step="`billhook doctor` says what is missing") from error


async def _followed(handle: Handle, hear: Hear) -> ReconcileReport:
    result = asyncio.ensure_future(handle.result())
    try:
        while not (await asyncio.wait({result}, timeout=_LOOK_S))[0]:
            hear(await _how_far(handle))
        return await result
    finally:
        result.cancel()


async def _how_far(handle: Handle) -> str:
    """A line for whoever waits: the count, and what it is held up by."""
    try:
        told = await handle.query(ReconcileWorkflow.progress, rpc_timeout=timedelta(seconds=2))
    except (RPCError, WorkflowQueryFailedError):
        return "no worker answers yet; the run goes on as soon as one does, with or without this command"
    held_up = await _held_up(handle)
    return f"{told.pages} pages, {told.compared} compared, {told.healed_count} healed{held_up}"


async def _held_up(handle: Handle) -> str:
    found = await handle.describe(rpc_timeout=CALL_TIMEOUT)
    failed = [one.last_failure.message for one in found.raw_description.pending_activities if one.attempt > 1]
    return f"; being retried: {failed[0][:200]}" if failed else ""


def _cause(error: WorkflowFailureError) -> str:
    cause: BaseException | None = error.cause
    if isinstance(cause, ActivityError):
        cause = cause.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)
