"""Every activity's options, by name, with the reason for each timeout. No call in a workflow spells its own.

A call to an outside system waits on that system's queue: `outside` and `courtesy` know which. A step that is no such
call, like the journal's, stays on the queue that its workflow runs on, and so does every local activity.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from activities import reconcile_steps
from activities import signatures as step
from billing import queues
from billing.queues import Queue

_PATIENT: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=1.6, maximum_interval=timedelta(minutes=5)
)
# Seven failures in a row cost 20 s, so a flaky hour is ridden out; a provider that is down for a night is asked every
# five minutes until it is back. No attempt limit.

OUTSIDE: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=30),
    # The client gives up after 20 s; the rest is our own database.
    "retry_policy": _PATIENT,
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    # A cancel must know whether the attempt under way took effect before it withdraws.
}
"""A call to somebody else's system: shows in the UI with its last failure, retried until it succeeds or is refused."""

COURTESY: Final[dict[str, Any]] = OUTSIDE | {
    "schedule_to_close_timeout": timedelta(hours=4),
    # A reminder that is half a day late helps nobody.
}
"""A mail that nothing depends on."""

RECORDS: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=10),
    # One short transaction; SQLite waits 5 s for a lock.
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=10)),
}
"""Our own short writes and the assessment, as local activities but for `after_task`: one billed action per workflow
task."""

RUN: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(days=7),
    # A page waits for room as long as the invoicing API is down; that it is alive its heartbeats say.
    "heartbeat_timeout": timedelta(seconds=15),
    # It beats several times a second; so long a killed worker's page stands still.
    "retry_policy": _PATIENT,
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
"""A page of a monthly run: our records and the engine, on the queue of runs."""

QUEUES: Final[dict[str, Queue]] = {
    **dict.fromkeys(
        (
            step.CREATE_DRAFT.name,
            step.PATCH_DRAFT.name,
            step.ISSUE.name,
            step.REVISE.name,
            step.DECLINE_CHANGE.name,
            step.READ_LOCKED.name,
            step.WITHDRAW.name,
            reconcile_steps.PAGE,
            reconcile_steps.LOOK,
        ),
        Queue.JUPITER,
    ),
    **dict.fromkeys((step.SYNC_FIELDS.name, step.MARK_BILLED.name), Queue.CRM),
    step.SEND_MAIL.name: Queue.MAIL,
}
"""Which outside system each activity calls."""


def outside(activity: str) -> dict[str, Any]:
    """OUTSIDE, on the queue of the system that `activity` calls."""
    return OUTSIDE | _queue_of(activity)


def courtesy(activity: str) -> dict[str, Any]:
    """COURTESY, on the queue of the system that `activity` calls."""
    return COURTESY | _queue_of(activity)


def after_task() -> dict[str, Any]:
    """RECORDS for a write that must not be a local one, on the main queue: pages may hold all of a run's for hours."""
    return RECORDS | _on(Queue.MAIN)


def _queue_of(activity: str) -> dict[str, Any]:
    queue = QUEUES.get(activity)
    return {} if queue is None else _on(queue)


def _on(queue: Queue) -> dict[str, Any]:
    """By the queue that the workflow runs on, which no replay changes."""
    return {"task_queue": queues.name(queues.base_of(workflow.info().task_queue), queue)}
