"""What a test need not pay for: certificates read once, workflow code checked once, retries that come at once.

None of it changes what a test sees. Reading the bundle of certificates costs 40 ms of CPU for each HTTP client, and a
stack has five; a worker tries each workflow in the SDK's sandbox before it starts, and a stack has two such workers;
a logged failure is drawn with the locals of all its frames where nobody has said how to write logs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

import pytest
import structlog
from httpx import create_ssl_context
from structlog.dev import ConsoleRenderer, plain_traceback
from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

_AT_ONCE: Final = timedelta(milliseconds=50)
# Long enough that the other side is not asked in a tight loop.
_checked: Final[set[str]] = set()


def certificates_read_once() -> Iterator[None]:
    """While it runs, all HTTP clients of this process share what they trust."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", cache(create_ssl_context))
        yield


def tracebacks_in_plain_text() -> Iterator[None]:
    """While it runs, what a test left to structlog's defaults shows a failure as Python itself does."""
    *before, _ = structlog.get_config()["processors"]
    structlog.configure(processors=[*before, ConsoleRenderer(exception_formatter=plain_traceback)])
    yield
    structlog.reset_defaults()


@dataclass(frozen=True)
class CheckedOnce(SandboxedWorkflowRunner):
    """The SDK's sandbox; what a worker tries before it starts is tried by the first of this process."""

    def prepare_workflow(self, defn: workflow._Definition) -> None:
        if defn.cls.__qualname__ not in _checked:
            super().prepare_workflow(defn)
            _checked.add(defn.cls.__qualname__)


class RetriedAtOnce(Interceptor):
    """Outermost on a worker: what would be tried again after a growing pause is tried again at once.

    For tests whose promise is what repeats do, not how long they wait: the pauses are drawn by the faults, and the
    longest of some hundred steps lasts minutes now and then.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _AtOnce(next)


class _AtOnce(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        try:
            return await super().execute_activity(input)
        except ApplicationError as error:
            if error.non_retryable or error.next_retry_delay is not None:
                raise
            raise ApplicationError(str(error), type=error.type, next_retry_delay=_AT_ONCE) from error
