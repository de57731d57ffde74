"""What happens around every activity: the record that rides on it is saved first, the calls that it made to outside
systems are put on its answer, and its failures are classified.

The one place for all three, so that activities themselves stay a call and an answer.
"""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bound_contextvars as about
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.classify import classify
from activities.signatures import Done, Request
from billing.record import InvoiceRecord
from connectors.noted import noting
from records import invoices
from records.group import GroupCommit
from records.session import Database
from telemetry import metrics

log = structlog.get_logger(__name__)


class RecordWriter(GroupCommit[InvoiceRecord, None]):
    """Saves what concurrent steps bring in one transaction; under load this is most of the worker's speed."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, _save)


async def _save(session: AsyncSession, found: Sequence[InvoiceRecord]) -> Sequence[None]:
    await invoices.save_records(session, found)
    return [None] * len(found)


class RecordingInterceptor(Interceptor):
    """Give it to the worker; `database` is our records."""

    def __init__(self, database: Database) -> None:
        self._writer = RecordWriter(database)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Recording(next, self._writer)


class _Recording(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, writer: RecordWriter) -> None:
        super().__init__(following)
        self._writer = writer

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        info, request = activity.info(), input.args[0] if input.args else None
        with about(workflow_id=info.workflow_id, step=info.activity_type, attempt=info.attempt, **_whose(request)):
            return await self._watched(input)

    async def _watched(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        try:
            await self._save(input)
            with noting() as calls:
                answer = await super().execute_activity(input)
            _tell("done")
        except Exception as error:
            found = classify(error)
            _tell(_outcome(found))
            if found is error:
                # An error that is its own cause cannot be told to the server.
                raise
            # Its words say it all. A client's chain of causes is larger than the server keeps of a failure, and an
            # operator would then read of the size alone.
            raise found from None
        return answer.model_copy(update={"calls": tuple(calls)}) if isinstance(answer, Done) else answer

    async def _save(self, input: ExecuteActivityInput) -> None:  # noqa: A002 - the SDK's name
        request = input.args[0] if input.args else None
        if isinstance(request, Request) and request.record is not None:
            await self._writer.put(request.record)


def _whose(request: object) -> dict[str, str]:
    return {"key": request.key} if isinstance(request, Request) else {}


def _tell(outcome: str) -> None:
    metrics.STEPS.labels(activity.info().activity_type, outcome).inc()
    log.info("step", outcome=outcome)


def _outcome(found: BaseException) -> str:
    return "refused" if isinstance(found, ApplicationError) and found.non_retryable else "to_be_retried"
