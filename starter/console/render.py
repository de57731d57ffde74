"""How a page is made: one environment, autoescape always on, and what every template may ask for."""

from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from billing import untrusted
from records.tokens import Scope
from starter.console import filters
from starter.console.assets import Assets
from starter.console.desk import desk_of
from starter.console.visits import visit_of

NAV: Final = (
    ("/desk/", "Inbox"),
    ("/desk/invoices", "Invoices"),
    ("/desk/repair", "Repair"),
    ("/desk/runs", "Runs"),
    ("/desk/events", "Events"),
    ("/desk/dashboard", "Dashboard"),
)


def environment(assets: Assets) -> Environment:
    """Jinja for the desk. A name that a template misspells is an error, not an empty place."""
    made = Environment(
        loader=PackageLoader("starter.console"),
        autoescape=True,
        finalize=untrusted.finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(untrusted.FILTERS | filters.FILTERS)
    made.globals.update(asset=assets.url, nav=NAV)
    return made


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """`template` with `values` and what every page has: person, may, csrf, zone, now, path, flashes."""
    desk, visit = desk_of(request), visit_of(request)
    person = visit.person
    common = {
        "person": person,
        "may": lambda scope: person is not None and person.may(Scope(scope)),
        "csrf": visit.csrf,
        "zone": visit.zone,
        "zone_is_chosen": visit.zone_is_chosen,
        "now": desk.clock(),
        "path": request.url.path,
        "flashes": visit.take_flashes,
        "is_fragment": is_fragment(request),
    }
    return HTMLResponse(desk.templates.get_template(template).render(common | values), status)


def is_fragment(request: Request) -> bool:
    """Whether htmx asks, for a part of a page rather than all of it."""
    return request.headers.get("hx-request") == "true" and "hx-boosted" not in request.headers


def say(request: Request, text: str, kind: str = "ok") -> None:
    """On the next page, once; `kind` is ok, note or bad."""
    visit_of(request).say(kind, text)


def see(request: Request, path: str) -> Response:
    """Go on to a page of the desk after a form was taken. htmx is told so in its own way."""
    if is_fragment(request):
        return Response(status_code=204, headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)
