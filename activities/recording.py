"""What happens around every activity: the record that rides on it is saved first, and its failures are classified.

The one place for both, so that activities themselves stay a call and an answer.
"""

from typing import Any

from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.classify import classify
from activities.signatures import Request
from records import invoices
from records.session import Database


class RecordingInterceptor(Interceptor):
    """Give it to the worker; `database` is our records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Recording(next, self._database)


class _Recording(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, database: Database) -> None:
        super().__init__(following)
        self._database = database

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        try:
            await self._save(input)
            return await super().execute_activity(input)
        except Exception as error:
            raise classify(error) from error

    async def _save(self, input: ExecuteActivityInput) -> None:  # noqa: A002 - the SDK's name
        request = input.args[0] if input.args else None
        if isinstance(request, Request) and request.record is not None:
            async with self._database.transaction() as session:
                await invoices.save_record(session, request.record)
