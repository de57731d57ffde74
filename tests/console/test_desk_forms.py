"""No form is taken but one of this session's own pages; no page is changed by looking at it."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlmodel import SQLModel
from starlette.routing import Mount

from billing.record import Fate, Status
from records import events, invoices
from records.events import Mark
from records.sql import table
from records.tokens import Scope
from starter.console.pages.acts import ACTS, CASE_ACTS
from starter.console.route import DeskRoute, OpenRoute
from starter.deciding import Deciding
from starter.http.auth import needs, scope_of
from tests.console.conftest import ORIGIN, Browser, browser_at
from tests.records.make import KEY, a_record, an_event, with_intent
from tests.starter.conftest import Api

OPEN = {"/sign-in", "/sign-in/oidc", "/sign-in/return"}
STATIC = "/static/{path:path}"
CHANGE = {"zone": "Asia/Tokyo"}


def desk_app(api: Api) -> FastAPI:
    (found,) = (route.app for route in api.app.routes if isinstance(route, Mount) and route.path == "/desk")
    assert isinstance(found, FastAPI)
    return found


def desk_routes(api: Api) -> list[APIRoute]:
    """Every route of the desk, those of pages that come later too."""
    every = desk_app(api).routes
    routes = [route for route in every if isinstance(route, APIRoute)]
    assert routes
    assert len(routes) == len(every), "a route that is none of ours"
    return routes


def filled(route: APIRoute, **holes: str) -> str:
    """The route's address with something in every hole."""
    path = route.path
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", holes.get(name, "x")).replace(f"{{{name}:path}}", holes.get(name, "x"))
    return f"/desk{path}"


def test_every_route_is_guarded_but_those_that_are_meant_to_be(desk: Api) -> None:
    for route in desk_routes(desk):
        if route.path == STATIC:
            assert route.methods == {"GET"}
        elif route.path in OPEN:
            assert isinstance(route, OpenRoute), route.path
        else:
            assert isinstance(route, DeskRoute), route.path
            assert scope_of(route) in Scope


def test_every_route_looks_or_changes_and_a_guarded_one_says_its_scope(desk: Api) -> None:
    for route in desk_routes(desk):
        assert route.methods in ({"GET"}, {"POST"}), route.path

    async def both() -> None: ...

    for kind, methods in ((OpenRoute, ["GET", "POST"]), (DeskRoute, ["GET"])):
        with pytest.raises((ValueError, KeyError)):
            kind("/both", both, methods=methods)
    with pytest.raises(ValueError, match="each a route of its own"):
        DeskRoute("/put", both, methods=["PUT"], **needs(Scope.READ))


async def rows(api: Api) -> dict[str, Any]:
    """All there is, but when a token was used last, which looking does change."""
    async with api.database.session() as session:
        tables = [table(mapper.class_) for mapper in SQLModel._sa_registry.mappers]  # noqa: SLF001 - all there are
        kept = {one.name: [column for column in one.columns if column.name != "last_used_at"] for one in tables}
        return {name: (await session.execute(select(*columns))).all() for name, columns in kept.items()}


async def waiting(api: Api) -> None:
    """An invoice that waits for its approval, and an event that lies in quarantine."""
    await with_intent(api.database)
    async with api.database.transaction() as session:
        await invoices.save_records(session, [a_record(status=Status.AWAITING_APPROVAL)])
        event = an_event()
        await events.accept(session, "jupiter", event, event.model_dump_json().encode())
        await events.mark(session, [Mark(event.id, Fate.QUARANTINED, "no invoice of ours has this id")])


async def test_looking_changes_nothing(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    await browser.api.parts.dispatcher.stop()
    await waiting(browser.api)
    await browser.sign_in(Scope.ADMIN)
    before = await rows(browser.api)
    for wish in ("decide", "delegate", "answer_case", "cancel", "retry"):
        monkeypatch.setattr(Deciding, wish, lambda *_: pytest.fail("a GET decides"))
    seen = set()
    for route in desk_routes(browser.api):
        for name in [act.name for act in (*ACTS, *CASE_ACTS)] if route.path.endswith("/do/{name}") else ["x"]:
            if route.methods == {"GET"}:
                answer = await browser.get(filled(route, key=KEY, name=name))
                assert answer.status_code < 500 or answer.status_code == 503, (route.path, answer.status_code)
                seen |= {route.path} if answer.status_code == 200 else set()
    assert {"/", "/invoices", "/invoices/{key}", "/invoices/{key}/do/{name}", "/events", "/repair"} <= seen
    assert await rows(browser.api) == before


async def test_every_form_needs_its_secret_and_its_page(browser: Browser) -> None:
    await browser.sign_in(Scope.ADMIN)
    secret = await browser.secret_of("/desk/zone")
    good = {"Origin": ORIGIN}
    for route in desk_routes(browser.api):
        if route.methods != {"POST"}:
            continue
        for form, headers in (
            ({}, good),
            ({"csrf": "x"}, good),
            ({"csrf": secret}, {"Origin": "https://evil.example"}),
        ):
            answer = await browser.http.post(filled(route), data=form, headers=headers)
            assert answer.status_code == 403, (route.path, form, headers)
            assert "nothing was done" in answer.text


async def test_every_form_needs_somebody_and_his_scope(browser: Browser) -> None:
    for route in desk_routes(browser.api):
        if route.methods != {"POST"} or isinstance(route, OpenRoute):
            continue
        async with browser_at(browser.api).http as http:
            stranger = Browser(http, browser.api)
            answer = await stranger.post(filled(route), page="/desk/sign-in")
            assert (answer.status_code, answer.headers["location"][:14]) == (303, "/desk/sign-in?"), route.path
            assert "nothing was done" in (await stranger.get("/desk/sign-in")).text
            needed = scope_of(route)
            if needed is not Scope.READ:
                await stranger.sign_in(Scope.READ)
                refused = await stranger.post(filled(route))
                assert (refused.status_code, needed.value in refused.text) == (403, True), route.path


HEADERS = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://billhook.evil.example"},
    {"Origin": "http://billhook:81"},
    {"Referer": "https://evil.example/desk/zone"},
    {"Referer": "nonsense"},
    {},
]


@pytest.mark.parametrize("headers", HEADERS)
async def test_a_form_from_elsewhere_is_refused_even_with_the_secret(browser: Browser, headers: dict[str, str]) -> None:
    await browser.sign_in(Scope.READ)
    form = {"csrf": await browser.secret_of("/desk/zone"), **CHANGE}
    answer = await browser.http.post("/desk/zone", data=form, headers=headers)
    assert answer.status_code == 403
    assert "nothing was done" in answer.text
    assert "Asia/Tokyo" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("headers", [{"Origin": ORIGIN}, {"Referer": f"{ORIGIN}/desk/zone"}])
async def test_a_form_of_ours_is_taken_by_its_field_or_its_header(browser: Browser, headers: dict[str, str]) -> None:
    await browser.sign_in(Scope.READ)
    secret = await browser.secret_of("/desk/zone")
    by_field = await browser.http.post("/desk/zone", data={"csrf": secret, **CHANGE}, headers=headers)
    by_header = await browser.http.post("/desk/zone", data=CHANGE, headers=headers | {"X-CSRF-Token": secret})
    assert (by_field.status_code, by_header.status_code) == (303, 303)


async def test_another_sessions_secret_is_refused(browser: Browser) -> None:
    async with browser_at(browser.api).http as http:
        other = Browser(http, browser.api)
        await other.sign_in(Scope.READ)
        theirs = await other.secret_of("/desk/zone")
    await browser.sign_in(Scope.READ)
    answer = await browser.http.post("/desk/zone", data={"csrf": theirs, **CHANGE}, headers={"Origin": ORIGIN})
    assert answer.status_code == 403


async def test_signing_in_needs_a_form_of_ours_too(browser: Browser) -> None:
    answer = await browser.http.post("/desk/sign-in", data={"token": "bh_x"}, headers={"Origin": ORIGIN})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"{}", "application/json"), (b"csrf=x", "text/plain"), (b"\xff\xfe", "multipart/form-data; boundary=x")],
)
async def test_a_body_that_is_no_form_changes_nothing(browser: Browser, content: bytes, kind: str) -> None:
    await browser.sign_in(Scope.READ)
    answer = await browser.http.post("/desk/zone", content=content, headers={"Origin": ORIGIN, "Content-Type": kind})
    assert answer.status_code in {400, 403}
    assert answer.headers["content-type"].startswith("text/html")
