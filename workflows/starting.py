"""Starting an invoice's workflow: its name, its id, its queue, its rank and what an operator sees, in one place.

For whoever holds a client: starter/client.py, which says refusals in our words, and the run's own activity.
"""

from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from billing import queues
from billing.intent import Intent
from billing.queues import Queue
from telemetry import tracing
from workflows import priorities, visibility
from workflows.state import InvoiceStart

WORKFLOW: Final = "InvoiceWorkflow"
CALL_TIMEOUT: Final = timedelta(seconds=5)
# A healthy engine answers in milliseconds; past this it is better to come back later than to hold a caller.


async def start_invoice(client: Client, intent: Intent, base: str, *, of_run: bool = False) -> bool:
    """True if this call started it, False if its key already has a workflow, open or closed. Raises RPCError.

    `base` is the setting `task_queue`. `of_run`: it goes to the queue of runs, behind everybody; usage that nobody
    triggered goes there in any case, so that a sweep starts what a run left registered where the run would have.
    """
    queue = Queue.RUNS if of_run else queues.of_intent(intent)
    try:
        with tracing.starting(intent.key, intent.motion.value):
            await client.start_workflow(
                WORKFLOW,
                InvoiceStart(intent=intent),
                id=intent.key,
                task_queue=queues.name(base, queue),
                priority=priorities.of(queue, intent.customer_id),
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=visibility.at_start(intent),
                static_summary=visibility.summary(intent),
                static_details=visibility.details(intent),
                rpc_timeout=CALL_TIMEOUT,
            )
    except WorkflowAlreadyStartedError:
        return False
    return True
