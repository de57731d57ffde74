"""Signing in at the organisation's OpenID provider: out to it, back from it, and who that is to us.

The provider says which address is verified, policy.toml which approver has that address, our records which live token
has that approver's name. Its scopes apply, and revoking it ends the session: the provider lets nobody in by itself.
"""

import hmac
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from billing.errors import NotFound
from billing.policy import Policy
from billing.untrusted import one_line
from records import tokens
from records.tables import Token
from records.tokens import Scope
from starter.console import cookies
from starter.console.desk import Desk, UseDesk
from starter.console.oidc import Issuer, SignInRefused, Trip
from starter.console.problems import local_path
from starter.console.route import OpenRoute
from starter.console.sessions import unsigned
from starter.console.signing_in import address_of, welcome
from starter.console.visits import visit_of
from starter.http.auth import Caller

RETURN: Final = "/desk/sign-in/return"
_TRIP_S: Final = 600
# Time enough to find a second factor.
_TELL: Final = "have whoever runs Billhook"

router = APIRouter(route_class=OpenRoute)

Word = Annotated[str, Query(max_length=4000)]


@router.get("/sign-in/oidc")
async def leave(request: Request, desk: UseDesk, next: Word = "") -> Response:  # noqa: A002
    """To the provider. A link, not a form: `form-action` then holds for every page and every provider."""
    issuer = _issuer(desk)
    trip = issuer.trip(local_path(next))
    address = await issuer.address(trip)
    told = desk.trips.dumps([desk.clock().timestamp(), trip.model_dump()])
    visit_of(request).set_cookies.append(desk.baker.bake(cookies.OIDC, told, _TRIP_S))
    return RedirectResponse(address, 303)


@router.get("/sign-in/return")
async def come_back(  # noqa: PLR0917 - FastAPI passes parameters by name
    request: Request, desk: UseDesk, code: Word = "", state: Word = "", error: Word = "", iss: Word = ""
) -> Response:
    """From the provider. The trip's cookie is taken away whatever comes of it: an answer counts once."""
    issuer, address = _issuer(desk), address_of(request)
    desk.attempts.count(address)
    visit_of(request).set_cookies.append(desk.baker.forget(cookies.OIDC))
    trip = _trip(request, desk, state)
    if error or not code:
        raise SignInRefused(f"the OpenID issuer did not sign you in: {one_line(error) or 'it sent no code'}")
    if iss and iss != desk.parts.settings.oidc_issuer:
        raise SignInRefused("another issuer answered than was asked")
    token = await _token_of(desk, await issuer.email(trip, code))
    desk.attempts.forgive(address)
    return welcome(request, desk, token, trip.wish)


def approver_with(policy: Policy, email: str) -> str:
    """The approver's name. Raises SignInRefused where nobody has that address, or more than one."""
    named = [one.name for one in policy.approvers if one.email and one.email.casefold() == email.casefold()]
    if len(named) == 1:
        return named[0]
    who = "no approver in policy.toml has" if not named else "several approvers in policy.toml have"
    raise SignInRefused(
        f"you are signed in elsewhere as {one_line(email)}, and {who} that address",
        f"{_TELL} write it beside your name in policy.toml: email = ...",
    )


def _issuer(desk: Desk) -> Issuer:
    if desk.issuer is None:
        raise NotFound("sign-in by OpenID Connect is not set up here", next_step="sign in with a token")
    return desk.issuer


def _trip(request: Request, desk: Desk, state: str) -> Trip:
    """What this browser set out with. Raises SignInRefused for an answer to anybody else's question, or a late one."""
    found = unsigned(desk.trips, request.cookies.get(cookies.OIDC))
    if found is None:
        raise SignInRefused("this browser has begun no sign-in, or took too long over it")
    began, trip = found[0], Trip.model_validate(found[1])
    if desk.clock().timestamp() - began > _TRIP_S:
        raise SignInRefused("the sign-in took too long")
    if not hmac.compare_digest(trip.state.encode(), state.encode()):
        raise SignInRefused("the answer belongs to another sign-in than the one begun here")
    return trip


async def _token_of(desk: Desk, email: str) -> Token:
    name = approver_with(desk.parts.policy, email)
    async with desk.parts.database.session() as records:
        token = await tokens.find_named(records, name)
    if token is None or not Caller.of(token).may(Scope.READ):
        raise SignInRefused(
            f"you are {name}, and have no live token that may look at the desk",
            f"{_TELL} make you one: billhook token create {name} --scope approve",
        )
    return token
