"""The codec server of Temporal's UI, where payloads are sealed: what the UI shows is opened, what a person sends from
it is sealed, for somebody who may decide and for nobody else.

The UI calls from the reader's browser and brings no token of ours, but the desk's cookie, where it is told to include
credentials: so it works for whoever has signed in at the desk, for as long as that session lives. Only the origin of
`BILLHOOK_TEMPORAL_UI_URL` may. A program brings a token instead: `temporal --codec-endpoint URL --codec-auth`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from billing.errors import Forbidden, Unauthorized
from connectors.payloads import SealingCodec
from records import tokens
from records.tokens import Scope
from starter.console import cookies
from starter.console.desk import HOME, UseDesk
from starter.http.auth import Caller, admitted, known_caller, used
from starter.intake import Malformed

PATH: Final = f"{HOME}codec"
NEEDS: Final = Scope.APPROVE
# A reader's token must do for the desk's pages; an agent's shows it its own customers alone. Payloads know neither.
_ANSWER_S: Final = "600"
_ASKED: Final = "authorization, content-type, x-namespace"

router = APIRouter(prefix=PATH, include_in_schema=False)
Convert = Callable[[SealingCodec, Sequence[Payload]], Awaitable[list[Payload]]]


@router.post("/decode")
async def decode(request: Request, desk: UseDesk) -> Response:
    """Payloads as they were before they were sealed. What is not sealed stays as it is."""
    return await _converted(request, desk, SealingCodec.decode)


@router.post("/encode")
async def encode(request: Request, desk: UseDesk) -> Response:
    """The UI has whatever a person sends from it sealed here first."""
    return await _converted(request, desk, SealingCodec.encode)


@router.options("/decode")
@router.options("/encode")
async def preflight(request: Request, desk: UseDesk) -> Response:
    """A browser's question whether the UI's page may call at all. Raises Forbidden."""
    headers = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": _ASKED}
    return Response(
        status_code=204, headers=_opened(_origin(request, desk)) | headers | {"Access-Control-Max-Age": _ANSWER_S}
    )


async def _converted(request: Request, desk: UseDesk, convert: Convert) -> Response:
    """Raises Unauthorized, Forbidden, TooManyRequests, Malformed, UnknownPayloadKey."""
    origin = await _allowed(request, desk)
    brought = _read(await request.body())
    keys = desk.parts.settings.sealing_keys
    found = await convert(SealingCodec(keys), brought.payloads) if keys else brought.payloads
    return Response(MessageToJson(Payloads(payloads=found)), media_type="application/json", headers=_opened(origin))


async def _allowed(request: Request, desk: UseDesk) -> str:
    """The origin of the page that asks, "" where a program does."""
    if "authorization" in request.headers:
        admitted(await known_caller(request, desk.parts), NEEDS)
        return _origin(request, desk) if "origin" in request.headers else ""
    # A cookie counts together with the page's origin alone: a browser sends it along for any page of this site.
    origin = _origin(request, desk)
    admitted(await _signed_in(request, desk), NEEDS)
    return origin


def _origin(request: Request, desk: UseDesk) -> str:
    """The Temporal UI's. Raises Forbidden for a page from anywhere else, and where no UI is named."""
    ui = urlsplit(desk.parts.settings.temporal_ui_url)
    origin = request.headers.get("origin", "")
    if not ui.netloc or origin.lower() != f"{ui.scheme}://{ui.netloc}".lower():
        raise Forbidden(
            "this is for the page of the Temporal UI", next_step="set BILLHOOK_TEMPORAL_UI_URL to where it is"
        )
    return origin


def _opened(origin: str) -> dict[str, str]:
    if not origin:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}


async def _signed_in(request: Request, desk: UseDesk) -> Caller:
    """Raises Unauthorized, TooManyRequests."""
    session = desk.sessions.read(request.cookies.get(cookies.SESSION))
    token = None
    if session and session.token:
        async with desk.parts.database.session() as records:
            token = await tokens.find_by_fingerprint(records, session.token)
    if token is None:
        raise Unauthorized("nobody is signed in at the desk here", next_step=f"sign in at {HOME}, then look again")
    return used(desk.parts, token)


def _read(body: bytes) -> Payloads:
    try:
        return Parse(body, Payloads(), ignore_unknown_fields=True)
    except ParseError as error:
        words = "send what the Temporal UI sends a codec: {payloads: [...]}"
        raise Malformed("the body is no list of payloads", field="payloads", next_step=words) from error
