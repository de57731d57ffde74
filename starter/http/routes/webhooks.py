"""Where the invoicing API calls us. No token: the signature on the raw body says who it is."""

from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel

from billing.errors import BillhookError
from starter.http.parts import UseParts
from starter.http.problems import MEDIA_TYPE, Problem
from starter.intake import SOURCE, read_event

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

_WORDS: Final = {
    400: "Signed, and no event that can be read",
    401: "No secret of ours signed it, or not within five minutes",
    413: "Larger than 1 MiB",
    503: "Could not be stored; send it again",
}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": words, "content": {MEDIA_TYPE: {}}} for status, words in _WORDS.items()
}


class Taken(BaseModel):
    """`created` is false for an event that we had; that is no error."""

    event_id: str
    created: bool


@router.post("/jupiter", status_code=202, summary="A signed event of the invoicing API", responses=PROBLEMS)
async def jupiter(request: Request, parts: UseParts) -> Taken:
    """Answers once the event is stored; what it means is read afterwards."""
    try:
        raw = await request.body()
        parts.verifier.verify(raw, request.headers)
        event = read_event(raw)
        created = await parts.door.accept(event, raw)
    except BillhookError as error:
        parts.metrics.events.labels(error.slug).inc()
        parts.refused.tell(SOURCE, request.headers, error)
        raise
    parts.metrics.events.labels("stored" if created else "known").inc()
    if created:
        parts.dispatcher.wake()
    return Taken(event_id=event.id, created=created)
