"""The composition root of the HTTP API: parts, routes, errors, limits. Tests call it with a database of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse
from starlette.routing import Route

from connectors.http import build_client
from records.session import Database
from settings import Settings, load_motions, load_policy
from starter.agents.server import PATH, AgentDoor
from starter.client import ClientFactory, Engine
from starter.console import codec
from starter.console.build import create_desk
from starter.console.cookies import PATH as DESK
from starter.console.desk import HOME
from starter.console.headers import HEADERS as OF_DESK
from starter.deciding import Deciding
from starter.dispatcher import Dispatcher
from starter.http import problems
from starter.http.headers import SecurityHeaders
from starter.http.limits import BodyLimit
from starter.http.metrics import Metrics, Timed
from starter.http.openapi import describe
from starter.http.parts import Parts
from starter.http.rates import AddressLimit, Rates
from starter.http.refused import RefusedWebhooks
from starter.http.routes import customers, health, invoices, policy, queues, triggers, usage, vendor_webhooks, webhooks
from starter.http.uses import Uses
from starter.intake import Door, Verifier
from starter.vendors.build import build_vendors
from telemetry import tracing

VERSION: Final = version("billhook")
_TITLE: Final = "Billhook"
_ABOUT: Final = (
    "From a billing trigger to an approved, billed invoice. Amounts are decimal strings with an ISO 4217 currency, "
    "times RFC 3339. Errors are problem+json and name the field. Make a token with `billhook token create`."
)
_MODULES: Final = (webhooks, vendor_webhooks, triggers, invoices, queues, customers, usage, policy, health)
_CALLS: Final = [route for module in _MODULES for route in module.router.routes]


def create_app(settings: Settings, database: Database, client_factory: ClientFactory) -> FastAPI:
    """The API over `database`, which stays the caller's to upgrade and close. Temporal is reached when first needed.

    Raises BadInput where the policy, the motions or the OpenID issuer that the settings name cannot be used.
    """
    metrics, rates = Metrics(), Rates(settings)
    engine = Engine(client_factory)
    door = Door(database)
    http = build_client(settings.outbound_urls)
    motions = load_motions(settings)
    vendors = build_vendors(settings, motions, database, http)
    dispatcher = Dispatcher(
        database, engine, settings.task_queue, watcher=metrics, door_is_late=lambda: door.is_late, vendors=vendors
    )
    verifier = Verifier(settings.webhook_secret_list)
    app = FastAPI(
        title=_TITLE,
        version=VERSION,
        lifespan=_lifespan,
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.http = http
    app.state.parts = Parts(
        settings=settings,
        database=database,
        engine=engine,
        deciding=Deciding(database, engine),
        policy=load_policy(settings),
        motions=motions,
        dispatcher=dispatcher,
        verifier=verifier,
        door=door,
        metrics=metrics,
        vendors=vendors,
        rates=rates,
        uses=Uses(database),
        refused=RefusedWebhooks(),
    )
    app.state.calls = _CALLS
    # As they were built, once per process, as the desk's are: see starter/console/build.py.
    app.router.routes.extend(app.state.calls)
    _add_desk(app)
    app.state.agents = AgentDoor(app.state.parts, VERSION)
    app.router.routes.append(Route(PATH, app.state.agents, include_in_schema=False))
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(AddressLimit, rates=rates)
    app.add_middleware(SecurityHeaders, pages={DESK: OF_DESK}, secure=settings.public_url.startswith("https:"))
    app.add_middleware(Timed, metrics=metrics)
    tracing.watch_app(app)
    app.openapi = _description  # type: ignore[method-assign] # FastAPI's own way to extend it
    return app


@cache
def _description() -> dict[str, Any]:
    """Once per process: no setting changes which calls there are."""
    return describe(get_openapi(title=_TITLE, version=VERSION, description=_ABOUT, routes=_CALLS))


def _add_desk(app: FastAPI) -> None:
    """Pages for people, beside the calls and outside their schema."""
    desk = create_desk(app.state.parts, app.state.http)
    app.state.desk, app.state.plans = desk.state.desk, desk.state.desk.plans
    app.router.routes.extend(codec.router.routes)
    app.mount(HOME, desk)
    app.add_api_route(HOME.rstrip("/"), _to_desk, include_in_schema=False)
    app.add_api_route("/", _from_root, include_in_schema=False)


async def _to_desk() -> RedirectResponse:
    return RedirectResponse(HOME, 308)


async def _from_root() -> RedirectResponse:
    """Not for good: a browser would keep it for whatever else is served at this port one day."""
    return RedirectResponse(HOME, 307)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    dispatcher = app.state.parts.dispatcher
    dispatcher.start()
    await app.state.agents.start()
    try:
        yield
    finally:
        await app.state.agents.stop()
        await dispatcher.stop()
        await app.state.plans.close()
        await app.state.parts.uses.close()
        await app.state.http.aclose()
