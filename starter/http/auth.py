"""Who calls, and may he: bearer tokens whose hashes are in our records, one scope per route.

A route says what it needs with `**needs(Scope.READ)`. The check runs before the body is read, so that a stranger costs
one indexed query and learns nothing of what a body should look like.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from billing.errors import BadInput, Forbidden, Unauthorized
from records import tokens
from records.tables import Token
from records.tokens import Scope
from starter.http.parts import parts_of
from starter.http.problems import MEDIA_TYPE, Problem

SCHEME: Final = "bearer"
_SCOPE: Final = "x-billhook-scope"
_HOW: Final = "send `Authorization: Bearer bh_...`; `billhook token create NAME --scope S` makes one"


@dataclass(frozen=True)
class Caller:
    """A live token: its name is the person's or the program's, and goes on the record."""

    name: str
    scopes: frozenset[str]

    @classmethod
    def of(cls, token: Token) -> Self:
        """Whoever holds a live token."""
        return cls(name=token.name, scopes=frozenset(token.scopes))

    def may(self, scope: Scope) -> bool:
        """`admin` may everything; whoever may act may also read."""
        if Scope.ADMIN in self.scopes or scope in self.scopes:
            return True
        return scope is Scope.READ and bool(self.scopes & {Scope.APPROVE, Scope.AGENT})


def needs(scope: Scope) -> dict[str, Any]:
    """A route's keyword arguments: the scope it needs, and what OpenAPI says of it."""
    problems = {"model": Problem, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    return {
        "openapi_extra": {_SCOPE: scope.value, "security": [{SCHEME: []}]},
        "responses": {status: {**problems, "description": words} for status, words in _REFUSALS.items()},
    }


_REFUSALS: Final = {401: "No token that we know", 403: f"The token lacks the route's scope ({_SCOPE})"}


def scope_of(route: APIRoute) -> Scope:
    """What a route said that it needs. Raises KeyError where it said nothing."""
    return Scope((route.openapi_extra or {})[_SCOPE])


class GuardedRoute(APIRoute):
    """A route behind a token. One that names no scope cannot be built."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        scope = scope_of(self)
        handle = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def guarded(request: Request) -> Response:
            request.state.caller = await _admit(request, scope)
            _check_names(request, known)
            return await handle(request)

        return guarded


def _check_names(request: Request, known: set[str]) -> None:
    """A filter that is misspelled must not be an answer without the filter. Raises BadInput."""
    for name in request.query_params:
        if name not in known:
            step = f"leave it out; this call takes {', '.join(sorted(known)) or 'none'}"
            raise BadInput(name[:100] or "query", "there is no such parameter", step)


async def _admit(request: Request, scope: Scope) -> Caller:
    """Raises Unauthorized, TooManyRequests, Forbidden."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != SCHEME or not secret.strip():
        raise Unauthorized("this call needs a token", next_step=_HOW)
    parts = await parts_of(request)
    async with parts.database.session() as session:
        token = await tokens.find_token(session, secret.strip())
    if token is None:
        raise Unauthorized("the token is not known, or was revoked", next_step=_HOW)
    parts.rates.of_token(token.sha256)
    return admitted(Caller.of(token), scope)


def admitted(caller: Caller, scope: Scope) -> Caller:
    """`caller`, who may. Raises Forbidden."""
    if not caller.may(scope):
        raise Forbidden(
            f"the token {caller.name!r} lacks the scope {scope.value!r}",
            next_step=f"use a token with the scope {scope.value}",
        )
    return caller


async def caller_of(request: Request) -> Caller:
    """Who was admitted to this route."""
    caller: Caller = request.state.caller
    return caller


UseCaller = Annotated[Caller, Depends(caller_of)]
