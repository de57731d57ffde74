"""What becomes of one stored event: which workflow it belongs to, whether it is worth a signal, and what if not.

A signal is a billed action, so what the workflow would only ignore is ignored here, with the reason on the event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError, RPCStatusCode

from activities.signatures import GivenField, StateLate, SyncFields
from billing.cases import case_words
from billing.events import EventType, InvoiceEvent
from billing.intent import Intent, canonical_hash
from billing.late import Ended, Late, judge_late, late_entries
from billing.record import CaseRecord, Entry, EventFate, Fate, Status
from records import events, intents, invoices
from records import late as late_records
from records.events import Due
from records.session import Database
from records.views import InvoiceView
from starter import client as temporal
from starter.client import Engine, NoSuchWorkflow
from starter.intake import Malformed, read_event
from workflows.late import LateStart

_STUMBLES: Final = 3
# Our own mistake does not go away by waiting, and the invoice's other events wait behind it.
_LARGEST: Final = 64 * 1024
# A workflow keeps what it is told, and Temporal takes 2 MB of it in one piece: one sender must not use that up.
_REFUSED: Final = frozenset({RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION})


@dataclass(frozen=True)
class Settled:
    """Its fate for now: delivered (the workflow says later what it made of it), ignored or quarantined."""

    fate: Fate
    reason: str = ""


@dataclass(frozen=True)
class Waits:
    """Still pending; to be tried again at `until`. A try that `counts` brings the event nearer to quarantine."""

    until: datetime
    reason: str
    counts: bool = True
    fate: Fate = Fate.PENDING


Verdict = Settled | Waits


class Router:
    """Settles events. `pauses` are those between the attempts for an event that nobody claims."""

    def __init__(self, database: Database, engine: Engine, task_queue: str, pauses: tuple[timedelta, ...]) -> None:
        self._database, self._engine, self._task_queue, self._pauses = database, engine, task_queue, pauses

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
        if (settled := _by_itself(event, row)) is not None:
            return settled
        if key is None:
            return unclaimed(row, "no invoice of ours has this reference or id", self._pauses)
        if event.type == EventType.SENT and await self._is_our_sending(key, event):
            return Settled(Fate.IGNORED, f"it tells what we did ourselves: V{event.data.version} was sent")
        return await self._signal(key, event, row)

    def unforeseen(self, row: Due, error: Exception) -> Verdict:
        """What to do with an event over which we stumble ourselves: a few tries, then a person looks."""
        return unforeseen(row, error, self._pauses)

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
            return await self._without_workflow(key, event, row)
        except RPCError as error:
            if error.status in _REFUSED:
                return unclaimed(row, f"Temporal refused the signal: {error.message[:200]}", self._pauses)
            raise
        return Settled(Fate.DELIVERED)

    async def _without_workflow(self, key: str, event: InvoiceEvent, row: Due) -> Verdict:
        """Ended, not started yet, or gone."""
        view = await self._view(key)
        if view is not None and Status(view.status).is_end:
            return await self._late(event, view)
        ended = await temporal.closed_as(await self._engine.client(), key)
        if ended is None or ended == "running":
            return unclaimed(row, f"no workflow runs for {key} yet", self._pauses)
        state = view.status if view is not None else "not on record"
        # Only a workflow that came to its own end has had its say; after a terminated one a person must look.
        fate = Fate.IGNORED if ended == "completed" else Fate.QUARANTINED
        return Settled(fate, f"the workflow is {ended}; the invoice was {state}")

    async def _late(self, event: InvoiceEvent, view: InvoiceView) -> Verdict:
        """After the end: as the fold says of the whole set. What it still gives is synced by a workflow of its own."""
        ended = _ended(view)
        if ended is None:
            return Settled(Fate.IGNORED, f"the invoice is {view.status} and was never at the API")
        async with self._database.session() as session:
            known = [read_event(raw) for raw in await events.bodies_of(session, ended.external_id)]
            intent = await intents.get_intent(session, view.key)
        late = judge_late(event, known, ended)
        if late.fields and intent is not None:
            start = _late_start(event, late, intent, ended.status)
            await temporal.start_late(await self._engine.client(), event.id, start, self._task_queue)
            return Settled(Fate.DELIVERED)
        await self._state_late(event, late, view)
        return Settled(late.fate, late.reason)

    async def _state_late(self, event: InvoiceEvent, late: Late, view: InvoiceView) -> None:
        told = EventFate(event_id=event.id, fate=late.fate, reason=late.reason)
        entries = () if late.fate is Fate.QUARANTINED else late_entries(event, late, view.status, datetime.now(UTC))
        async with self._database.transaction() as session:
            case = await self._case(session, view.key, late)
            if case is not None:
                entries += (Entry(number=0, at=case.opened_at, kind="case", actor="billhook", text=case_words(case)),)
            await late_records.state(session, view.key, told, entries, case=case)

    async def _case(self, session: AsyncSession, key: str, late: Late) -> CaseRecord | None:
        assessment = await invoices.last_assessment(session, key) if late.case is not None else None
        return late.withdrawn_case(assessment) if assessment is not None else None

    async def _view(self, key: str) -> InvoiceView | None:
        async with self._database.session() as session:
            return await invoices.get_view(session, key)


def unclaimed(row: Due, reason: str, pauses: tuple[timedelta, ...]) -> Verdict:
    """What it lacks may come yet: it waits through all `pauses`, then a person looks."""
    if row.attempts >= len(pauses):
        return Settled(Fate.QUARANTINED, f"{reason}; given up after {row.attempts + 1} attempts")
    return Waits(datetime.now(UTC) + pauses[row.attempts], reason)


def unforeseen(row: Due, error: Exception, pauses: tuple[timedelta, ...]) -> Verdict:
    """Our own mistake does not go away by waiting: a few tries, then a person looks."""
    reason = f"{type(error).__name__} while it was delivered"
    if row.attempts >= _STUMBLES:
        return Settled(Fate.QUARANTINED, f"{reason}; given up after {row.attempts + 1} attempts, see the log")
    return Waits(datetime.now(UTC) + pauses[min(row.attempts, len(pauses) - 1)], reason)


def _by_itself(event: InvoiceEvent, row: Due) -> Settled | None:
    """What no workflow has to be asked for."""
    if event.type == EventType.PAID:
        return Settled(Fate.IGNORED, "payments are not Billhook's to follow")
    if event.type not in temporal.SIGNALS:
        return Settled(Fate.IGNORED, f"unknown type {event.type[:60]!r}")
    if len(row.raw) > _LARGEST:
        return Settled(Fate.QUARANTINED, f"it has {len(row.raw)} bytes; a workflow is told {_LARGEST} at most")
    return None


def _ended(view: InvoiceView) -> Ended | None:
    if view.external_id is None:
        return None
    return Ended(
        status=view.status,
        version=view.version,
        external_id=view.external_id,
        closed_cases=frozenset(case.id for case in view.cases if case.status in {"accepted", "declined"}),
        recipient=view.recipient.model_dump(),
    )


def _late_start(event: InvoiceEvent, late: Late, intent: Intent, status: Status) -> LateStart:
    given = {name: GivenField(value=field.value, at=field.at) for name, field in late.fields.items()}
    return LateStart(
        sync=SyncFields(
            key=intent.key,
            customer_id=intent.customer_id,
            scope=intent.source.scope,
            fields=given,
            digest=canonical_hash({"event": event.id})[:12],
        ),
        state=StateLate(
            key=intent.key,
            told=EventFate(event_id=event.id, fate=late.fate, reason=late.reason),
            entries=late_entries(event, late, status, datetime.now(UTC)),
            recipient={name: field.value for name, field in late.fields.items()},
        ),
    )
