"""Routes of the desk. A page says what it needs with `**needs(Scope.READ)`, like a route of the API.

GET looks and POST changes; there is no other method here. Before a POST is read further it must be a form of this
session, so that no page can forget to check.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from billing.errors import Unauthorized
from records import tokens
from records.tokens import Scope
from starter.console import csrf
from starter.console.desk import desk_of
from starter.console.visits import visit_of
from starter.http.auth import Caller, admitted, scope_of, used

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class SignInFirst(Unauthorized):
    """Nobody is signed in, or whoever was is not any more."""

    slug = "sign-in-first"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, next_step="sign in")


class OpenRoute(APIRoute):
    """A route for people who have not signed in; its POST needs a form of ours all the same."""

    def get_route_handler(self) -> Handler:
        return _only(self, _checked_form, super().get_route_handler())


class DeskRoute(APIRoute):
    """A route for people who have signed in. One that names no scope cannot be built."""

    def get_route_handler(self) -> Handler:
        scope = scope_of(self)

        async def admit(request: Request) -> None:
            visit_of(request).person = admitted(await _signed_in(request), scope)
            await _checked_form(request)

        return _only(self, admit, super().get_route_handler())


def _only(route: APIRoute, admit: Callable[[Request], Awaitable[None]], handle: Handler) -> Handler:
    if route.methods not in ({"GET"}, {"POST"}):
        raise ValueError(f"{route.path}: the desk looks by GET and changes by POST, each a route of its own")

    async def guarded(request: Request) -> Response:
        await admit(request)
        return await handle(request)

    return guarded


async def _checked_form(request: Request) -> None:
    if request.method == "POST":
        await csrf.check(request)


async def _signed_in(request: Request) -> Caller:
    """Raises SignInFirst. The token is looked up each time: a revoked one has no session."""
    session = visit_of(request).session
    if not session.token:
        raise SignInFirst("nobody is signed in here, or the session has ended")
    async with desk_of(request).parts.database.session() as records:
        token = await tokens.find_by_fingerprint(records, session.token)
    if token is None:
        raise SignInFirst("the token that signed in here was revoked, or has expired")
    return used(desk_of(request).parts, token)


async def _person(request: Request) -> Caller:
    person = visit_of(request).person
    if person is None:
        raise SignInFirst("nobody is signed in here")
    return person


UsePerson = Annotated[Caller, Depends(_person)]

__all__ = ["DeskRoute", "OpenRoute", "Scope", "SignInFirst", "UsePerson"]
