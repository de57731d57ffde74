"""One request at the desk: its session, its messages, its zone. Opened before a route, its cookies written after it."""

from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request
from itsdangerous import URLSafeSerializer
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing.untrusted import one_line
from starter.console import cookies, zones
from starter.console.cookies import Baker
from starter.console.sessions import Session, Sessions, signer, unsigned
from starter.http.auth import Caller

_FLASH_LIMIT: Final = 400
_FLASHES: Final = 4
# A cookie holds 4 KB.
_FLASH_S: Final = 300


@dataclass(frozen=True)
class Flash:
    """A message for the next page, once; `kind` is ok, note or bad."""

    kind: str
    text: str


@dataclass
class Visit:
    """What a request brought, and what its answer takes home. `person` is set by a guarded route."""

    session: Session
    csrf: str
    zone: ZoneInfo
    zone_is_chosen: bool
    flashes: list[Flash]
    person: Caller | None = None
    set_cookies: list[str] = field(default_factory=list)
    _flashed: list[Flash] = field(default_factory=list)
    _shown: bool = False

    def say(self, kind: str, text: str) -> None:
        """On the next page, once."""
        self._flashed.append(Flash(kind, one_line(text, _FLASH_LIMIT)))

    def take_flashes(self) -> list[Flash]:
        """What was said for this page; nobody else takes it again."""
        self._shown = True
        return self.flashes

    def waiting(self) -> list[Flash]:
        """What the next page is to say."""
        left = [] if self._shown else self.flashes
        return [*left, *self._flashed][-_FLASHES:]


class Visitors:
    """Opens visits, and changes who visits."""

    def __init__(self, secret: str, sessions: Sessions, baker: Baker, desk_zone: str) -> None:
        self._sessions = sessions
        self._baker = baker
        self._flash_signer: URLSafeSerializer = signer(secret, "flash")
        self._desk_zone = desk_zone

    def open(self, request: Request) -> Visit:
        """Whatever the cookies hold: at worst a stranger without a wish."""
        brought = request.cookies.get(cookies.SESSION)
        session = self._sessions.read(brought)
        chosen = request.cookies.get(cookies.ZONE)
        visit = Visit(
            session=session or self._sessions.begin(),
            csrf="",
            zone=zones.zone_named(chosen, self._desk_zone),
            zone_is_chosen=chosen in zones.ZONES,
            flashes=self._flashes(request.cookies.get(cookies.FLASH)),
        )
        self._bind(visit, self._sessions.renewed(session) if session else visit.session)
        return visit

    def sign_in(self, visit: Visit, person: Caller, token: str) -> None:
        """From now on `visit` is that person's, in a session of another name."""
        visit.person = person
        self._bind(visit, self._sessions.begin(token))

    def sign_out(self, visit: Visit) -> None:
        """A stranger's again, in a session of another name."""
        visit.person = None
        self._bind(visit, self._sessions.begin())

    def choose_zone(self, visit: Visit, name: str) -> None:
        """For a year, at this browser."""
        visit.zone, visit.zone_is_chosen = zones.zone_named(name), True
        visit.set_cookies.append(self._baker.keep(cookies.ZONE, name))

    def set_cookies(self, visit: Visit, had_flashes: bool) -> list[str]:
        """Every Set-Cookie header of the answer."""
        waiting = visit.waiting()
        if waiting:
            told = self._flash_signer.dumps([[one.kind, one.text] for one in waiting])
            return [*visit.set_cookies, self._baker.bake(cookies.FLASH, told, _FLASH_S)]
        return [*visit.set_cookies, self._baker.forget(cookies.FLASH)] if had_flashes else visit.set_cookies

    def _bind(self, visit: Visit, changed: Session | None) -> None:
        if changed is not None:
            visit.session = changed
            visit.set_cookies.append(self._baker.bake(cookies.SESSION, self._sessions.write(changed)))
        visit.csrf = self._sessions.csrf(visit.session)

    def _flashes(self, cookie: str | None) -> list[Flash]:
        found: Any = unsigned(self._flash_signer, cookie)
        return [Flash(kind, text) for kind, text in found or []]


class Visiting:
    """ASGI middleware of the desk: `request.state.visit` for every request but those for files, below `files`."""

    def __init__(self, app: ASGIApp, visitors: Visitors, files: str) -> None:
        self._app = app
        self._visitors = visitors
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._files):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        visit = request.state.visit = self._visitors.open(request)

        async def with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for cookie in self._visitors.set_cookies(visit, cookies.FLASH in request.cookies):
                    headers.append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, with_cookies)


def visit_of(request: Request) -> Visit:
    """The visit that `Visiting` opened."""
    visit: Visit = request.state.visit
    return visit
