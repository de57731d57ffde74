"""What waits for somebody: approvals, open change requests, events."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from billing.errors import Conflict, NotFound
from billing.record import Fate
from records import events, invoices
from records.events import EventPage, StoredEvent
from records.inbox import Inbox, Kind, inbox
from records.invoices import CasePage
from records.tokens import Scope
from records.views import Page
from starter.http.auth import GuardedRoute, needs
from starter.http.parts import UseParts

router = APIRouter(tags=["queues"], route_class=GuardedRoute)

Cursor = Annotated[str | None, Query(max_length=1000)]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/inbox", summary="All that waits for a person, the next deadline first", **needs(Scope.READ))
async def read_inbox(  # noqa: PLR0917 - FastAPI passes parameters by name
    parts: UseParts,
    kind: Kind | None = None,
    q: Annotated[str, Query(max_length=100, description="Words of the key, the customer or the reason")] = "",
    assignee: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Inbox:
    """Approvals, open change requests and invoices parked for repair; `assignee` keeps those of one person."""
    async with parts.database.session() as session:
        return await inbox(session, kind=kind, q=q, assignee=assignee, cursor=cursor, limit=limit)


@router.get("/approvals", summary="Invoices that wait for a human's yes", **needs(Scope.READ))
async def approvals(parts: UseParts, cursor: Cursor = None, limit: Limit = 50) -> Page:
    async with parts.database.session() as session:
        return await invoices.awaiting_approval(session, cursor=cursor, limit=limit)


@router.get("/cases", summary="Open change requests", **needs(Scope.READ))
async def cases(parts: UseParts, cursor: Cursor = None, limit: Limit = 200) -> CasePage:
    """The next deadline first."""
    async with parts.database.session() as session:
        return await invoices.open_cases(session, cursor=cursor, limit=limit)


@router.get("/events", summary="Webhook events and what became of them, newest first", **needs(Scope.READ))
async def list_events(
    parts: UseParts,
    fate: Fate | None = None,
    invoice_id: Annotated[str | None, Query(max_length=200)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> EventPage:
    async with parts.database.session() as session:
        return await events.list_events(session, fate=fate, invoice_id=invoice_id, cursor=cursor, limit=limit)


class Replayed(BaseModel):
    """How many events are on their way again."""

    replayed: int


@router.post("/events/replay", status_code=202, summary="Deliver every quarantined event again", **needs(Scope.ADMIN))
async def replay_quarantined(parts: UseParts) -> Replayed:
    """For when what they stumbled over is mended. Safe to repeat."""
    async with parts.database.transaction() as session:
        count = await events.requeue_quarantined(session)
    parts.dispatcher.wake()
    return Replayed(replayed=count)


@router.post("/events/{event_id}/replay", status_code=202, summary="Deliver an event again", **needs(Scope.ADMIN))
async def replay(event_id: str, parts: UseParts) -> StoredEvent:
    """Safe to repeat: a workflow counts an event id once."""
    async with parts.database.transaction() as session:
        requeued = await events.requeue(session, event_id)
        event = await events.get_event(session, event_id)
    if event is None:
        raise NotFound(f"no event {event_id!r}", next_step="the events are listed by GET /events")
    if not requeued:
        raise Conflict(f"event {event_id} is {event.fate} already", next_step="its invoice has counted it")
    parts.dispatcher.wake()
    return StoredEvent.model_validate(event.model_dump(include=set(StoredEvent.model_fields)))
