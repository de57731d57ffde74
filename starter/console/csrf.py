"""No form but our own is taken: its secret must be this session's, and it must come from a page of ours.

Either would do. The secret holds where a browser sends no Origin, the Origin where a page of ours leaked its secret.
"""

from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from billing.errors import Forbidden
from starter.console.desk import desk_of
from starter.console.visits import visit_of

FIELD: Final = "csrf"
HEADER: Final = "x-csrf-token"
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class ForeignForm(Forbidden):
    """What was sent did not come from a page of this session."""

    slug = "foreign-form"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"{detail}; nothing was done", next_step="go back, load the page again, and send the form once more"
        )


async def check(request: Request) -> None:
    """Raises ForeignForm. The form stays readable for the route."""
    _check_origin(request)
    given = request.headers.get(HEADER) or await _field(request)
    if not desk_of(request).sessions.is_csrf(visit_of(request).session, given):
        raise ForeignForm("the form is not from this session, or the session has ended since")


async def _field(request: Request) -> str:
    if not request.headers.get("content-type", "").startswith(_FORMS):
        return ""
    given = (await request.form()).get(FIELD, "")
    return given if isinstance(given, str) else ""


def _check_origin(request: Request) -> None:
    """Every browser of today names the page's origin on a POST; one that does not, by its Referer at least."""
    origin = request.headers.get("origin") or _origin(request.headers.get("referer", ""))
    if not origin or origin == "null":
        raise ForeignForm("the browser does not say from which page the form was sent")
    ours = {_origin(desk_of(request).parts.settings.public_url), f"{request.url.scheme}://{request.headers['host']}"}
    if origin not in ours:
        raise ForeignForm("the form was sent from a page of another site")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
