"""The composition root of the desk: an application of its own under `/desk`, with pages where the API has JSON."""

import secrets

import httpx
from fastapi import APIRouter, FastAPI, Request, Response

from billing.errors import NotFound
from records.sql import now
from records.tokens import Scope
from settings import Settings
from starter.console import assets, problems, signing_in, signing_in_oidc, times
from starter.console.assets import Assets
from starter.console.attempts import Attempts
from starter.console.cookies import Baker
from starter.console.desk import Desk
from starter.console.oidc import Client, Issuer
from starter.console.pages import ROUTERS
from starter.console.plans import Plans
from starter.console.render import environment
from starter.console.route import DeskRoute
from starter.console.sessions import Clock, Sessions, signer
from starter.console.visits import Visiting, Visitors
from starter.http.auth import needs
from starter.http.parts import Parts
from starter.run_planning import planner

_elsewhere = APIRouter(route_class=DeskRoute)


@_elsewhere.get("/{path:path}", **needs(Scope.READ))
async def _nowhere(request: Request, path: str) -> Response:
    """Last of all, so that a stranger learns by no answer which pages there are."""
    raise NotFound(f"no page {request.url.path}")


_SIGN_IN = (signing_in.open_router, signing_in.guarded_router, signing_in_oidc.router)


def create_desk(parts: Parts, http: httpx.AsyncClient, clock: Clock = now) -> FastAPI:
    """The desk over the application's own parts; `http` asks the OpenID issuer, `clock` gives aware UTC.

    Raises BadInput where the settings name an issuer that cannot be used.
    """
    app = FastAPI(title="Billhook desk", openapi_url=None, redirect_slashes=False)
    app.state.parts = parts
    app.state.desk = desk = build_desk(parts, http, clock)
    # As they were built, once per process: each app that includes a router builds all its routes anew. So what holds
    # for all of them is said by their routers: dependencies of the app would pass them by.
    for router in (assets.router, *_SIGN_IN, times.router, *ROUTERS, _elsewhere):
        app.router.routes.extend(router.routes)
    problems.install(app)
    app.add_middleware(Visiting, visitors=desk.visitors, files=assets.PREFIX)
    return app


def build_desk(parts: Parts, http: httpx.AsyncClient, clock: Clock) -> Desk:
    """Without a secret among the settings it makes one, and a restart ends every session."""
    settings = parts.settings
    secret = settings.session_secret.get_secret_value() or secrets.token_urlsafe(32)
    sessions, files = Sessions(secret, clock), Assets.load()
    baker = Baker(secure=settings.public_url.startswith("https:"))
    return Desk(
        parts=parts,
        sessions=sessions,
        visitors=Visitors(secret, sessions, baker, settings.desk_zone),
        attempts=Attempts(),
        baker=baker,
        trips=signer(secret, "trip"),
        issuer=_issuer(settings, http, clock),
        plans=Plans(planner(parts.database, parts.policy, settings), clock),
        assets=files,
        templates=environment(files),
        clock=clock,
    )


def _issuer(settings: Settings, http: httpx.AsyncClient, clock: Clock) -> Issuer | None:
    if not settings.oidc_issuer:
        return None
    client = Client(
        issuer=settings.oidc_issuer.rstrip("/"),
        id=settings.oidc_client_id,
        secret=settings.oidc_client_secret.get_secret_value(),
        redirect_uri=f"{settings.public_url.rstrip('/')}{signing_in_oidc.RETURN}",
    )
    return Issuer(client, http, clock)
