"""What every page of the desk works with; built once in `build.py`, found on the request."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from itsdangerous import URLSafeSerializer
from jinja2 import Environment

from starter.console.assets import Assets
from starter.console.attempts import Attempts
from starter.console.cookies import Baker
from starter.console.oidc import Issuer
from starter.console.plans import Plans
from starter.console.sessions import Clock, Sessions
from starter.console.visits import Visitors
from starter.http.parts import Parts

HOME: Final = "/desk/"


@dataclass(frozen=True)
class Desk:
    """The desk's parts, by name; `parts` are the application's own. Without an `issuer` a token is the only way in."""

    parts: Parts
    sessions: Sessions
    visitors: Visitors
    attempts: Attempts
    baker: Baker
    trips: URLSafeSerializer
    issuer: Issuer | None
    plans: Plans
    assets: Assets
    templates: Environment
    clock: Clock


def desk_of(request: Request) -> Desk:
    """The desk that serves `request`."""
    desk: Desk = request.app.state.desk
    return desk


async def _desk(request: Request) -> Desk:
    return desk_of(request)


UseDesk = Annotated[Desk, Depends(_desk)]
