"""Signing in with a token, and out again. The token is looked at once; the session keeps its fingerprint alone."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response

from records import tokens
from records.tables import Token
from records.tokens import Scope
from starter.console.desk import Desk, UseDesk, desk_of
from starter.console.problems import SIGN_IN, local_path
from starter.console.render import page, say, see
from starter.console.route import DeskRoute, OpenRoute
from starter.console.visits import visit_of
from starter.http.auth import Caller, needs

open_router = APIRouter(route_class=OpenRoute)
guarded_router = APIRouter(route_class=DeskRoute)

_UNKNOWN: Final = "That token is not known, or was revoked. Paste it whole, or ask whoever runs Billhook for a new one."
_CANNOT_LOOK: Final = "That token may not look at anything here: it needs the scope read, approve or admin."


@open_router.get("/sign-in")
async def form(request: Request, next: Annotated[str, Query(max_length=2000)] = "") -> Response:  # noqa: A002
    return sign_in_page(request, next)


@open_router.post("/sign-in")
async def sign_in(
    request: Request,
    desk: UseDesk,
    token: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=2000)] = "",  # noqa: A002 - the field's name in the address
) -> Response:
    """A token that may look opens a session; anything else is said, and counted."""
    address = address_of(request)
    desk.attempts.count(address)
    async with desk.parts.database.session() as records:
        found = await tokens.find_token(records, token.strip())
    if found is None:
        return sign_in_page(request, next, _UNKNOWN, 401)
    if not Caller.of(found).may(Scope.READ):
        return sign_in_page(request, next, _CANNOT_LOOK, 403)
    desk.attempts.forgive(address)
    return welcome(request, desk, found, next)


@guarded_router.post("/sign-out", **needs(Scope.READ))
async def sign_out(request: Request, desk: UseDesk) -> Response:
    desk.visitors.sign_out(visit_of(request))
    say(request, "You are signed out.")
    return see(request, SIGN_IN)


def welcome(request: Request, desk: Desk, token: Token, wish: str) -> Response:
    """Open a session of `token`'s person and go where he wanted to be."""
    desk.visitors.sign_in(visit_of(request), Caller.of(token), token.sha256)
    return see(request, local_path(wish))


def address_of(request: Request) -> str:
    """Whose tries are counted; behind a proxy that uvicorn trusts, the address that it names."""
    return request.client.host if request.client else ""


def sign_in_page(request: Request, wish: str, refusal: str = "", status: int = 200) -> Response:
    """The form, and why it is shown again."""
    values = {"wish": local_path(wish), "refusal": refusal, "by_oidc": desk_of(request).issuer is not None}
    return page(request, "sign_in.html", status=status, **values)
