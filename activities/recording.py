"""What happens around every activity: the record that rides on it is saved first, and its failures are classified.

The one place for both, so that activities themselves stay a call and an answer.
"""

import asyncio
from typing import Any, Final

from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.classify import classify
from activities.signatures import Request
from billing.record import InvoiceRecord
from records import invoices
from records.session import Database

MOST_AT_ONCE: Final = 50
# One transaction stays at a few milliseconds; the API's writes wait for it.


class RecordWriter:
    """Saves what concurrent steps bring in one transaction: whoever comes while one is being written shares the next.

    A commit alone costs more than a row, and SQLite has one writer; under load this is most of the worker's speed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[InvoiceRecord, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def save(self, record: InvoiceRecord) -> None:
        """Returns when `record` is committed. Raises what the database raised."""
        saved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, saved))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._drain())
        await saved

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            if not await self._written(batch):
                # One record that cannot be written must not hold up the others: each is tried by itself.
                for one in batch:
                    await self._written([one])

    async def _written(self, batch: list[tuple[InvoiceRecord, asyncio.Future[None]]]) -> bool:
        """One transaction for the batch. False if it failed and there is more than one record to blame."""
        try:
            async with self._database.transaction() as session:
                await invoices.save_records(session, [record for record, _ in batch])
        except Exception as error:  # noqa: BLE001 - the waiting step hears it, and is retried
            if len(batch) > 1:
                return False
            _settle(batch, error)
        else:
            _settle(batch, None)
        return True


def _settle(batch: list[tuple[InvoiceRecord, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, saved in batch:
        if saved.done():
            continue
        if error is None:
            saved.set_result(None)
        else:
            saved.set_exception(error)


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
        try:
            await self._save(input)
            return await super().execute_activity(input)
        except Exception as error:
            found = classify(error)
            if found is error:
                # An error that is its own cause cannot be told to the server.
                raise
            raise found from error

    async def _save(self, input: ExecuteActivityInput) -> None:  # noqa: A002 - the SDK's name
        request = input.args[0] if input.args else None
        if isinstance(request, Request) and request.record is not None:
            await self._writer.save(request.record)
