"""Events that the invoicing API and other systems sent, what became of each, and how one gets out of quarantine."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from billing.errors import Conflict
from billing.record import Fate
from records import events
from records.tokens import Scope
from starter.console.desk import UseDesk
from starter.console.render import page, say, see
from starter.console.route import DeskRoute
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute, prefix="/events")

PAGE: Final = 50
Word = Annotated[str, Query(max_length=100)]
Cursor = Annotated[str | None, Query(max_length=1000)]


@router.get("", **needs(Scope.READ))
async def list_events(
    request: Request, desk: UseDesk, fate: Word = Fate.QUARANTINED.value, cursor: Cursor = None
) -> Response:
    """Quarantined ones unless another `fate` is asked for; an unknown one shows all."""
    wanted = Fate(fate) if fate in set(Fate) else None
    async with desk.parts.database.session() as session:
        found = await events.list_events(session, fate=wanted, cursor=cursor, limit=PAGE)
    more = urlencode({"fate": fate, "cursor": found.next_cursor}) if found.next_cursor else ""
    return page(request, "events.html", rows=found.data, fates=list(Fate), fate=wanted, more=more)


@router.post("/replay-all", **needs(Scope.ADMIN))
async def replay_all(request: Request, desk: UseDesk) -> Response:
    """All that lies in quarantine."""
    async with desk.parts.database.transaction() as session:
        count = await events.requeue_quarantined(session)
    desk.parts.dispatcher.wake()
    say(request, f"{count} on their way again; an event counts once however often it is replayed.")
    return see(request, "/desk/events")


@router.post("/replay", **needs(Scope.ADMIN))
async def replay(request: Request, desk: UseDesk, event: Annotated[str, Form(max_length=500)]) -> Response:
    """Raises Conflict for one that its invoice has counted, or that is not known."""
    async with desk.parts.database.transaction() as session:
        requeued = await events.requeue(session, event)
    if not requeued:
        raise Conflict(f"event {event} waits for nothing", next_step="see what became of it in the list of events")
    desk.parts.dispatcher.wake()
    say(request, f"Event {event} is on its way again.")
    return see(request, "/desk/events?fate=all")
