"""The page on which a reader says in which zone he wants to see times."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from billing.errors import BadInput
from records.tokens import Scope
from starter.console import zones
from starter.console.desk import UseDesk
from starter.console.problems import local_path
from starter.console.render import page, say, see
from starter.console.route import DeskRoute
from starter.console.visits import visit_of
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute)


@router.get("/zone", **needs(Scope.READ))
async def form(request: Request) -> Response:
    return page(request, "zone.html", choices=zones.choices(), back=local_path(request.headers.get("referer")))


@router.post("/zone", **needs(Scope.READ))
async def choose(
    request: Request,
    desk: UseDesk,
    zone: Annotated[str, Form(max_length=100)],
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    if zone not in zones.ZONES:
        raise BadInput("zone", f"{zone!r} is no time zone", "choose one such as Europe/Berlin")
    desk.visitors.choose_zone(visit_of(request), zone)
    say(request, f"Times are shown in {zone}.")
    return see(request, local_path(back))
