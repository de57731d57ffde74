"""Who calls, and may he: bearer tokens whose hashes are in our records, one scope per route.

A route says what it needs with `**needs(Scope.READ)`. The check runs before the body is read, so that a stranger costs
one indexed query and learns nothing of what a body should look like.

An agent's token opens the routes that say so and no other: what an agent reads and asks goes through starter/agents,
where its customers and its limits are looked at, so that no new route lets it past them.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from billing.agents import Grant
from billing.errors import BadInput, Forbidden, Unauthorized
from records import tokens
from records.tables import Token
from records.tokens import Scope
from starter.http.parts import Parts, parts_of
from starter.http.problems import MEDIA_TYPE, Problem

SCHEME: Final = "bearer"
_SCOPE: Final = "x-billhook-scope"
_AGENTS: Final = "x-billhook-agents"
_AGENTS_WAY: Final = "an agent reads and proposes through the MCP server at /mcp; see docs/agents.md"
_HOW: Final = "send `Authorization: Bearer bh_...`; `billhook token create NAME --scope S` makes one"


@dataclass(frozen=True)
class Caller:
    """A live token: its name is the person's or the program's, and goes on the record. An agent has a `grant`."""

    name: str
    scopes: frozenset[str]
    grant: Grant | None = None

    @classmethod
    def of(cls, token: Token) -> Self:
        """Whoever holds a live token."""
        return cls(name=token.name, scopes=frozenset(token.scopes), grant=tokens.grant_of(token))

    def may(self, scope: Scope) -> bool:
        """`admin` may everything but be an agent; whoever may approve may also read."""
        if scope in self.scopes:
            return True
        if Scope.ADMIN in self.scopes:
            return scope is not Scope.AGENT
        return scope is Scope.READ and Scope.APPROVE in self.scopes


def needs(scope: Scope, *, or_agent: bool = False) -> dict[str, Any]:
    """A route's keyword arguments: the scope it needs, and what OpenAPI says of it. `or_agent` where the route itself
    looks at what an agent may."""
    problems = {"model": Problem, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    return {
        "openapi_extra": {_SCOPE: scope.value, _AGENTS: or_agent, "security": [{SCHEME: []}]},
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
        takes_agents = bool((self.openapi_extra or {}).get(_AGENTS))
        handle = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def guarded(request: Request) -> Response:
            caller = await known_caller(request, await parts_of(request))
            is_agent = takes_agents and caller.grant is not None
            request.state.caller = caller if is_agent else admitted(caller, scope)
            _check_names(request, known)
            return await handle(request)

        return guarded


def _check_names(request: Request, known: set[str]) -> None:
    """A filter that is misspelled must not be an answer without the filter. Raises BadInput."""
    for name in request.query_params:
        if name not in known:
            step = f"leave it out; this call takes {', '.join(sorted(known)) or 'none'}"
            raise BadInput(name[:100] or "query", "there is no such parameter", step)


async def known_caller(request: Request, parts: Parts) -> Caller:
    """Who holds the token that `request` brings. Raises Unauthorized, TooManyRequests."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != SCHEME or not secret.strip():
        raise Unauthorized("this call needs a token", next_step=_HOW)
    async with parts.database.session() as session:
        token = await tokens.find_token(session, secret.strip())
    if token is None:
        raise Unauthorized("the token is not known, was revoked or has expired", next_step=_HOW)
    return used(parts, token)


def used(parts: Parts, token: Token) -> Caller:
    """The holder of a live token, whose use counts. Raises TooManyRequests."""
    parts.rates.of_token(token.sha256)
    parts.uses.note(token.sha256)
    return Caller.of(token)


def admitted(caller: Caller, scope: Scope) -> Caller:
    """`caller`, who may. Raises Forbidden."""
    if not caller.may(scope):
        raise Forbidden(
            f"the token {caller.name!r} lacks the scope {scope.value!r}",
            next_step=_AGENTS_WAY if caller.grant else f"use a token with the scope {scope.value}",
        )
    return caller


async def caller_of(request: Request) -> Caller:
    """Who was admitted to this route."""
    caller: Caller = request.state.caller
    return caller


UseCaller = Annotated[Caller, Depends(caller_of)]
