"""What an invoice's list entry leaves out: when a version was made and seen, and what its recipient asks for.

The history is the API's own. Change requests are told only by their webhook and by the recipient's page, which answers
JSON too; we read it as the sender's preview, which counts as no view.
"""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from billing.remote import RemoteRequest, RemoteVersion
from connectors.http import BadAnswer


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Version(_Told):
    version: Annotated[int, Field(ge=1)]
    created_at: AwareDatetime | None = None
    viewed_at: AwareDatetime | None = None


class _Versions(_Told):
    data: list[_Version]


class _Request(_Told):
    id: Annotated[str, Field(min_length=1, max_length=200)]
    version: Annotated[int, Field(ge=1)] = 1
    status: str = "open"
    message: Annotated[str, Field(max_length=20_000)] = ""
    proposed: dict[str, Any] | None = None


class _Entry(_Told):
    at: AwareDatetime | None = None
    kind: str = ""
    change_request_id: str | None = None


class _Page(_Told):
    change_requests: list[_Request]
    thread: list[_Entry] = []


_VERSIONS: Final = TypeAdapter(_Versions)
_PAGE: Final = TypeAdapter(_Page)


def token_of(link: str | None) -> str:
    """The share token at the end of a link; empty where there is none."""
    return urlsplit(link).path.rstrip("/").rpartition("/")[2] if link else ""


def read_versions(call: str, body: bytes) -> tuple[RemoteVersion, ...]:
    """Raises BadAnswer."""
    try:
        found = _VERSIONS.validate_json(body)
    except ValidationError as error:
        raise BadAnswer(call, "the history is no list of versions") from error
    return tuple(RemoteVersion(one.version, one.created_at, one.viewed_at) for one in found.data)


def read_requests(call: str, body: bytes) -> tuple[RemoteRequest, ...]:
    """Raises BadAnswer."""
    try:
        page = _PAGE.validate_json(body)
    except ValidationError as error:
        raise BadAnswer(call, "the page tells no change requests") from error
    asked = {entry.change_request_id: entry.at for entry in page.thread if entry.kind == "change_requested"}
    return tuple(
        RemoteRequest(one.id, one.version, one.status == "open", one.message, one.proposed, asked.get(one.id))
        for one in page.change_requests
    )
