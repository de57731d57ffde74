"""The inbox: what waits for a person, the next deadline first; and the queue of what is parked for repair."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from records import inbox as queue
from records.inbox import Kind
from records.tokens import Scope
from starter.console.desk import UseDesk
from starter.console.render import page
from starter.console.route import DeskRoute, UsePerson
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute)

PAGE: Final = 50
Word = Annotated[str, Query(max_length=200)]
Cursor = Annotated[str | None, Query(max_length=1000)]


@router.get("/", **needs(Scope.READ))
async def inbox(  # noqa: PLR0917 - FastAPI passes parameters by name
    request: Request,
    desk: UseDesk,
    person: UsePerson,
    q: Word = "",
    kind: Word = "",
    whose: Word = "",
    cursor: Cursor = None,
) -> Response:
    """`whose` is `mine`, `anyone` (nobody's yet) or empty for all; an unknown `kind` shows all kinds."""
    wanted = Kind(kind) if kind in set(Kind) else None
    assignee = {"mine": person.name, "anyone": ""}.get(whose)
    async with desk.parts.database.session() as session:
        found = await queue.inbox(session, kind=wanted, q=q, assignee=assignee, cursor=cursor, limit=PAGE)
        counts = await queue.counts(session)
    asked = {name: value for name, value in {"q": q, "kind": kind, "whose": whose}.items() if value}
    return page(
        request,
        "inbox.html",
        rows=found.data,
        counts={kind.value: count for kind, count in counts.items()},
        q=q,
        kind=wanted,
        whose=whose,
        here=urlencode({**asked, "cursor": cursor} if cursor else asked),
        more=urlencode({**asked, "cursor": found.next_cursor}) if found.next_cursor else "",
        later=bool(cursor),
    )


@router.get("/repair", **needs(Scope.READ))
async def repair(request: Request, desk: UseDesk, cursor: Cursor = None) -> Response:
    """What was refused for good and stands still until a person mends it."""
    async with desk.parts.database.session() as session:
        found = await queue.inbox(session, kind=Kind.REPAIR, cursor=cursor, limit=PAGE)
    more = urlencode({"cursor": found.next_cursor}) if found.next_cursor else ""
    return page(request, "repair.html", rows=found.data, more=more)
