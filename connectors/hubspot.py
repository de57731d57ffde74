"""HubSpot's CRM API, as far as Billhook speaks it: records and their associations read, properties written.

Every method raises CallFailed (no answer, or a refusal; 429 carries how long to wait) and BadAnswer. Writes set
properties to values, so that repeating one changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from billing.errors import BadInput
from connectors.http import BadAnswer, call

BATCH: Final = 100
# What one batch read takes.
_PAGE: Final = 500
_PRIMARY: Final = 5
# The association type from a deal to its primary company.

M = TypeVar("M", bound=BaseModel)


class Record(BaseModel):
    """One object; a property that is not set is None or missing."""

    id: str
    properties: dict[str, str | None]

    def get(self, name: str) -> str:
        """The property, empty where it is not set."""
        return (self.properties.get(name) or "").strip()


@dataclass(frozen=True)
class Associated:
    """An object at the other end of an association."""

    id: str
    is_primary: bool


class _Type(BaseModel):
    typeId: int  # noqa: N815 - HubSpot's spelling
    category: str = ""


class _End(BaseModel):
    toObjectId: int  # noqa: N815
    associationTypes: list[_Type] = []  # noqa: N815


class _Next(BaseModel):
    after: str


class _Paging(BaseModel):
    next: _Next | None = None


class _Ends(BaseModel):
    results: list[_End]
    paging: _Paging | None = None


class _Records(BaseModel):
    results: list[Record]


class _Property(BaseModel):
    name: str


class _Properties(BaseModel):
    results: list[_Property]


class HubSpot:
    """The API at `url`. Raises BadInput at once where the token is missing."""

    def __init__(self, client: httpx.AsyncClient, url: str, token: SecretStr) -> None:
        if not token.get_secret_value():
            raise BadInput("hubspot_token", "it is empty", "set BILLHOOK_HUBSPOT_TOKEN to a private app's access token")
        self._client, self._url, self._token = client, url.rstrip("/"), token

    async def record(self, kind: str, record_id: str, properties: Sequence[str]) -> Record:
        """One object of `kind` (`deals`, `companies`, ...)."""
        path = f"/crm/v3/objects/{kind}/{quote(record_id, safe='')}"
        return _read(Record, path, await self._call("GET", path, params={"properties": ",".join(properties)}))

    async def records(self, kind: str, ids: Sequence[str], properties: Sequence[str]) -> list[Record]:
        """Several objects, in the order of `ids`. Raises BadAnswer where one of them is not answered."""
        path = f"/crm/v3/objects/{kind}/batch/read"
        found: dict[str, Record] = {}
        for start in range(0, len(ids), BATCH):
            body = {"properties": list(properties), "inputs": [{"id": one} for one in ids[start : start + BATCH]]}
            answer = _read(_Records, path, await self._call("POST", path, json=body))
            found |= {record.id: record for record in answer.results}
        if lacking := [one for one in ids if one not in found]:
            raise BadAnswer(f"POST {path}", f"{len(lacking)} of {len(ids)} are missing, the first is {lacking[0]}")
        return [found[one] for one in ids]

    async def associated(self, kind: str, record_id: str, other: str) -> list[Associated]:
        """All objects of kind `other` that are associated with one object, over all pages."""
        path = f"/crm/v4/objects/{kind}/{quote(record_id, safe='')}/associations/{other}"
        ends: list[_End] = []
        params: dict[str, Any] = {"limit": _PAGE}
        while True:
            page = _read(_Ends, path, await self._call("GET", path, params=params))
            ends += page.results
            if page.paging is None or page.paging.next is None:
                return [Associated(str(end.toObjectId), _is_primary(end)) for end in ends]
            if params.get("after") == page.paging.next.after:
                raise BadAnswer(f"GET {path}", "a page leads to itself")
            params["after"] = page.paging.next.after

    async def update(self, kind: str, record_id: str, properties: dict[str, str], *, step_key: str) -> None:
        """Set properties; an empty value clears one. HubSpot is not told the step key, our record of the call is."""
        path = f"/crm/v3/objects/{kind}/{quote(record_id, safe='')}"
        await self._call("PATCH", path, json={"properties": properties}, step_key=step_key)

    async def property_names(self, kind: str) -> set[str]:
        """The properties that objects of `kind` have."""
        path = f"/crm/v3/properties/{kind}"
        return {found.name for found in _read(_Properties, path, await self._call("GET", path)).results}

    async def _call(
        self, method: str, path: str, *, params: dict[str, Any] | None = None, json: Any = None, step_key: str = ""
    ) -> bytes:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        return await call(
            self._client,
            method,
            self._url + path,
            system="hubspot",
            headers=headers,
            params=params,
            json=json,
            step_key=step_key,
        )


def _is_primary(end: _End) -> bool:
    return any(one.typeId == _PRIMARY and one.category != "USER_DEFINED" for one in end.associationTypes)


def _read(model: type[M], path: str, body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadAnswer(path, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
