"""A HubSpot to test against: a small server on loopback that holds records and counts what it is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from tests.stack import listening, serving, url_of

TOKEN = "pat-test"
Properties = dict[str, str | None]


@dataclass
class FakeHubSpot:
    """`records` by kind and id, `ends` by (deal, kind). The first `refusals` calls are answered with them."""

    url: str = ""
    records: dict[str, dict[str, Properties]] = field(default_factory=dict)
    ends: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    properties: dict[str, set[str]] = field(default_factory=dict)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    page: int = 500

    def deal(self, deal_id: str, *, company: str = "77", items: list[Properties] | None = None, **changes: Any) -> None:
        """A won deal with its company and its line items."""
        given = {
            "dealname": "Relaunch",
            "amount": "12500.00",
            "deal_currency_code": "USD",
            "pipeline": "default",
            "dealstage": "closedwon",
        }
        self.records.setdefault("deals", {})[deal_id] = given | changes
        self.records.setdefault("companies", {}).setdefault(company, {"name": "Acme"})
        lines = {f"{deal_id}{place}": item for place, item in enumerate(items or [])}
        self.records.setdefault("line_items", {}).update(lines)
        self.ends[deal_id, "companies"] = [_end(company, 5), _end(company, 341)][:1]
        self.ends[deal_id, "line_items"] = [_end(line, 19) for line in lines]

    def app(self) -> FastAPI:
        app = FastAPI()
        app.middleware("http")(self._first)
        app.get("/crm/v3/objects/{kind}/{record_id}")(self._record)
        app.patch("/crm/v3/objects/{kind}/{record_id}")(self._update)
        app.post("/crm/v3/objects/{kind}/batch/read")(self._batch)
        app.get("/crm/v4/objects/deals/{deal_id}/associations/{kind}")(self._ends)
        app.get("/crm/v3/properties/{kind}")(self._properties)
        return app

    async def _first(self, request: Request, following: Any) -> Any:
        self.calls.append(f"{request.method} {request.url.path}")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"status": "error", "message": "the token is not known"}, 401)
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return JSONResponse({"status": "error", "message": "no", "category": "RATE_LIMITS"}, status, headers)
        return await following(request)

    async def _record(self, kind: str, record_id: str) -> dict[str, Any]:
        return {"id": record_id, "properties": self._found(kind, record_id)}

    async def _update(self, kind: str, record_id: str, body: dict[str, Any]) -> dict[str, Any]:
        self._found(kind, record_id).update(body["properties"])
        return {"id": record_id, "properties": self._found(kind, record_id)}

    async def _batch(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        ids = [one["id"] for one in body["inputs"]]
        assert len(ids) <= 100
        known = self.records.get(kind, {})
        return {"status": "COMPLETE", "results": [{"id": one, "properties": known[one]} for one in ids if one in known]}

    async def _ends(self, deal_id: str, kind: str, after: int = 0) -> dict[str, Any]:
        ends = self.ends.get((deal_id, kind), [])
        body: dict[str, Any] = {"results": ends[after : after + self.page]}
        if after + self.page < len(ends):
            body["paging"] = {"next": {"after": str(after + self.page), "link": "?"}}
        return body

    async def _properties(self, kind: str) -> dict[str, Any]:
        return {"results": [{"name": name, "type": "string"} for name in sorted(self.properties.get(kind, set()))]}

    def _found(self, kind: str, record_id: str) -> Properties:
        found = self.records.get(kind, {}).get(record_id)
        if found is None:
            raise HTTPException(404)
        return found


def _end(record_id: str, type_id: int) -> dict[str, Any]:
    kinds = [{"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": None}]
    return {"toObjectId": int(record_id), "associationTypes": kinds}


@asynccontextmanager
async def running_hubspot() -> AsyncIterator[FakeHubSpot]:
    fake, listener = FakeHubSpot(), listening()
    fake.url = url_of(listener)
    config = uvicorn.Config(fake.app(), access_log=False, log_level="warning", timeout_graceful_shutdown=2)
    async with serving(uvicorn.Server(config), listener):
        yield fake
