"""The time-skipping server, so that nobody waits for weeks, and what it needs that a real one does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import (
    Interceptor,
    PollerBehaviorSimpleMaximum,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityCancellationType, ActivityHandle

from tests.conftest import program
from tests.stack import Stack, running_stack
from workflows import visibility


@asynccontextmanager
async def skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """With our search attributes: the server knows none, as a new cluster does not."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server")
    ) as environment:
        wanted = {key.name: _value_type(key) for key in visibility.ALL}
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=wanted)
        )
        yield environment


_POLLERS: Final = PollerBehaviorSimpleMaximum(10)
# The test server does not tell a worker how many polls to make; with autoscaling, workflow tasks lie there that nobody
# fetches, and time stands still.


@asynccontextmanager
async def skipping_stack(environment: WorkflowEnvironment, folder: Path, **changes: Any) -> AsyncIterator[Stack]:
    """A stack on such a server, whose worker does what that server can bear. `changes` as `running_stack` has them."""
    options = {
        "workflow_task_poller_behavior": _POLLERS,
        "activity_task_poller_behavior": _POLLERS,
        **changes.pop("worker_options", {}),
    }
    address = environment.client.service_client.config.target_host
    async with running_stack(address, folder, worker_options=options, interceptors=[_StepsGoOn()], **changes) as stack:
        yield stack


class _StepsGoOn(Interceptor):
    """A step that its workflow gives up goes on; nobody asks the server to cancel it. What is a courtesy is not waited
    for, as ever; any other step is, to its end.

    The test server refuses a workflow task that cancels what ended while the task was with the worker, each time that
    it is tried again, and strands the run for good (temporalio/sdk-java#3088), and time with it; a real server takes
    it. People answer and cancel while a mail or a call is on its way.
    """

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002 - the SDK's name
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - the SDK's name
        if input.schedule_to_close_timeout is not None:
            input.cancellation_type = ActivityCancellationType.ABANDON
            return super().start_activity(input)
        handle = super().start_activity(input)
        handle.cancel = lambda *_, **__: False  # type: ignore[method-assign] # a step's handle, and nothing else's
        return handle


def _value_type(key: SearchAttributeKey[Any]) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
