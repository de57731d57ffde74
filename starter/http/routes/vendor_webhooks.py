"""Where other systems call us: `/webhooks/github` and its like. No token: the signature on the raw body says who it is.

A system without a secret has no door here. What is verified is stored, then answered; what it bills is read afterwards,
so that a mapping that is wrong today loses nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel

from billing.errors import BillhookError, NotFound
from billing.mappings import System
from starter.http.parts import Parts, UseParts
from starter.http.problems import MEDIA_TYPE, Problem
from starter.http.routes.webhooks import PROBLEMS
from starter.vendors.calls import Call

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

_NO_DOOR: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "No secret is set for this system", "content": {MEDIA_TYPE: {}}}
}
_STATUS: Final = {System.LINEAR: 200}
# Linear takes nothing but 200 for an answer, the others any 2xx.


class Kept(BaseModel):
    """`created` are the events among them that were new."""

    events: int
    created: int


def _door(system: System) -> Callable[[Request, Parts], Awaitable[Kept]]:
    async def webhook(request: Request, parts: UseParts) -> Kept:
        vendor = parts.vendors[system]
        if not vendor.is_on:
            raise NotFound(
                f"no webhooks of {system.value} are taken here", next_step=f"set BILLHOOK_{system.name}_SECRET"
            )
        call = Call(_url(request, parts), request.headers, await request.body())
        try:
            vendor.verify(call)
            notices = vendor.read(call)
            created = sum(await asyncio.gather(*(parts.door.keep(notice) for notice in notices)))
        except BillhookError as error:
            parts.metrics.events.labels(error.slug).inc()
            parts.refused.tell(system.value, request.headers, error)
            raise
        parts.metrics.events.labels("stored" if created else "known").inc()
        if created:
            parts.dispatcher.wake()
        return Kept(events=len(notices), created=created)

    return webhook


def _url(request: Request, parts: Parts) -> str:
    """The public one, as the sender was given it: behind a proxy the request has another."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{parts.settings.public_url.rstrip('/')}{request.url.path}{query}"


for _system in System:
    router.add_api_route(
        f"/{_system.value}",
        _door(_system),
        methods=["POST"],
        status_code=_STATUS.get(_system, 202),
        name=_system.value,
        summary=f"Signed events of {_system.value}",
        responses=PROBLEMS | _NO_DOOR,
    )
