"""A run's invoice that somebody answers leaves its place behind the run.

The steps that follow an answer say their rank themselves (workflows/steps.py). What hears the answer is a task of the
workflow, which has the rank that the workflow started with: a run's last. So that one is raised first. Every other
invoice keeps the rank it has, which nothing of a run stands before.
"""

from typing import Any

import structlog
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from billing import queues
from workflows import priorities
from workflows.starting import CALL_TIMEOUT

log = structlog.get_logger(__name__)


async def put_first(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """Before the person's answer is sent. Raises RPCError where the workflow cannot be described."""
    described = await handle.describe(rpc_timeout=CALL_TIMEOUT)
    if queues.is_of_runs(described.task_queue):
        await _raise(client, handle.id)


async def _raise(client: Client, key: str) -> None:
    """As far as the server can and lets us: where not, the answer is sent all the same and waits its turn."""
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=key),
        workflow_execution_options=WorkflowExecutionOptions(priority=Priority(priority_key=priorities.PEOPLE)),
    )
    # The key alone: the customer's turn stays.
    request.update_mask.paths.append("priority.priority_key")
    try:
        await client.workflow_service.update_workflow_execution_options(request, timeout=CALL_TIMEOUT)
    except RPCError as error:
        log.warning("not_put_first", key=key, cause=error.message[:200])
