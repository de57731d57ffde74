"""What becomes of one stored event: which workflow it belongs to, whether it is worth a signal, and what if not.

A signal is a billed action, so what the workflow would only ignore is ignored here, with the reason on the event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from billing.events import EventType, InvoiceEvent
from billing.record import Fate, Status
from records import intents, invoices
from records.events import Due
from records.session import Database
from records.views import InvoiceView
from starter import client as temporal
from starter.client import Engine, NoSuchWorkflow
from starter.intake import Malformed, read_event

_STUMBLES: Final = 3
# Our own mistake does not go away by waiting, and the invoice's other events wait behind it.
_REFUSED: Final = frozenset({RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION})


@dataclass(frozen=True)
class Settled:
    """Its fate for now: delivered (the workflow says later what it made of it), ignored or quarantined."""

    fate: Fate
    reason: str = ""


@dataclass(frozen=True)
class Waits:
    """Still pending; to be tried again at `until`."""

    until: datetime
    reason: str
    fate: Fate = Fate.PENDING


Verdict = Settled | Waits


class Router:
    """Settles events. `pauses` are those between the attempts for an event that nobody claims."""

    def __init__(self, database: Database, engine: Engine, pauses: tuple[timedelta, ...]) -> None:
        self._database, self._engine, self._pauses = database, engine, pauses

    async def keys_of(self, rows: Sequence[Due]) -> dict[str, str | None]:
        """Per event id the invoice that claims it; two questions to our records however many events.

        By our reference first: it is known before the API has answered us with its id.
        """
        async with self._database.session() as session:
            ours = await intents.known(session, {row.reference for row in rows if row.reference})
            lost = [row for row in rows if row.reference not in ours]
            by_id = await invoices.keys_of(session, {row.invoice_id for row in lost}) if lost else {}
        return {row.id: row.reference if row.reference in ours else by_id.get(row.invoice_id) for row in rows}

    async def settle(self, row: Due, key: str | None) -> Verdict:
        """Signals if that is due. Raises EngineUnreachable and what the database raises; then nothing was settled."""
        try:
            event = read_event(row.raw)
        except Malformed as error:
            # Stored by an earlier release that read more.
            return Settled(Fate.QUARANTINED, f"it cannot be read: {error.detail}")
        if event.type == EventType.PAID:
            return Settled(Fate.IGNORED, "payments are not Billhook's to follow")
        if event.type not in temporal.SIGNALS:
            return Settled(Fate.IGNORED, f"unknown type {event.type[:60]!r}")
        if key is None:
            return self._unclaimed(row, "no invoice of ours has this reference or id")
        if event.type == EventType.SENT and await self._is_our_sending(key, event):
            return Settled(Fate.IGNORED, f"it tells what we did ourselves: V{event.data.version} was sent")
        return await self._signal(key, event, row)

    def unforeseen(self, row: Due, error: Exception) -> Verdict:
        """What to do with an event over which we stumble ourselves: a few tries, then a person looks."""
        reason = f"{type(error).__name__} while it was delivered"
        if row.attempts >= _STUMBLES:
            return Settled(Fate.QUARANTINED, f"{reason}; given up after {row.attempts + 1} attempts, see the log")
        return Waits(datetime.now(UTC) + self._pauses[min(row.attempts, len(self._pauses) - 1)], reason)

    async def _is_our_sending(self, key: str, event: InvoiceEvent) -> bool:
        """A version above the one on record may have been made at the API by hand: the workflow must know."""
        if event.data.version == 1:
            return True
        view = await self._view(key)
        return view is not None and event.data.version <= view.version

    async def _signal(self, key: str, event: InvoiceEvent, row: Due) -> Verdict:
        try:
            await temporal.signal_event(await self._engine.client(), key, event)
        except NoSuchWorkflow:
            return await self._without_workflow(key, row)
        except RPCError as error:
            if error.status in _REFUSED:
                return self._unclaimed(row, f"Temporal refused the signal: {error.message[:200]}")
            raise
        return Settled(Fate.DELIVERED)

    async def _without_workflow(self, key: str, row: Due) -> Verdict:
        """Ended, not started yet, or gone."""
        view = await self._view(key)
        if view is not None and Status(view.status).is_end:
            return Settled(Fate.IGNORED, f"the invoice is {view.status}; its workflow has ended")
        ended = await temporal.closed_as(await self._engine.client(), key)
        if ended is None or ended == "running":
            return self._unclaimed(row, f"no workflow runs for {key} yet")
        state = view.status if view is not None else "not on record"
        # Only a workflow that came to its own end has had its say; after a terminated one a person must look.
        fate = Fate.IGNORED if ended == "completed" else Fate.QUARANTINED
        return Settled(fate, f"the workflow is {ended}; the invoice was {state}")

    async def _view(self, key: str) -> InvoiceView | None:
        async with self._database.session() as session:
            return await invoices.get_view(session, key)

    def _unclaimed(self, row: Due, reason: str) -> Verdict:
        if row.attempts >= len(self._pauses):
            return Settled(Fate.QUARANTINED, f"{reason}; given up after {row.attempts + 1} attempts")
        return Waits(datetime.now(UTC) + self._pauses[row.attempts], reason)
