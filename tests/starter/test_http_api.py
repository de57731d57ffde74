"""What holds on every route: tokens and scopes, problems, limits, health; and how a person's wish is refused."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.mappings import System
from records.session import Database
from records.tokens import Scope, revoke_token
from starter.client import closed_as
from starter.http.auth import GuardedRoute
from tests.stack import milestone_body
from tests.starter.conftest import CUSTOMER, Api, running_api

OPEN = {"/healthz", "/readyz", "/metrics", "/webhooks/jupiter", *(f"/webhooks/{system.value}" for system in System)}
GUARDED = [
    ("PUT", "/customers/acme"),
    ("GET", "/customers/acme"),
    ("PUT", "/subscriptions/sub_1"),
    ("GET", "/subscriptions/sub_1"),
    ("GET", "/subscriptions"),
    ("POST", "/usage/events"),
    ("POST", "/triggers/milestone"),
    ("POST", "/triggers/project"),
    ("POST", "/triggers/quote"),
    ("POST", "/triggers/overage"),
    ("POST", "/triggers/usage"),
    ("GET", "/invoices"),
    ("GET", "/invoices/invoice:p:m"),
    ("GET", "/invoices/invoice:p:m/dossier"),
    ("POST", "/invoices/invoice:p:m/decision"),
    ("GET", "/invoices/invoice:p:m/change-requests/cr_1"),
    ("POST", "/invoices/invoice:p:m/change-requests/cr_1/decision"),
    ("POST", "/invoices/invoice:p:m/delegate"),
    ("POST", "/invoices/invoice:p:m/cancel"),
    ("POST", "/invoices/invoice:p:m/retry"),
    ("GET", "/inbox"),
    ("GET", "/policy"),
    ("POST", "/policy/explain"),
    ("POST", "/policy/simulate"),
    ("GET", "/approvals"),
    ("GET", "/cases"),
    ("GET", "/events"),
    ("POST", "/events/replay"),
    ("POST", "/events/evt_1/replay"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_every_call_needs_a_known_token_before_its_body_is_read(
    api_without_temporal: Api, method: str, path: str
) -> None:
    for header in ("", "Bearer bh_nobody", "Basic YTpi", "Bearer "):
        answer = await api_without_temporal.http.request(
            method, path, content=b"{", headers={"Authorization": header, "Content-Type": "application/json"}
        )
        assert answer.status_code == 401, (header, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_every_call_needs_its_scope(api_without_temporal: Api, method: str, path: str) -> None:
    spec = (await api_without_temporal.http.get("/openapi.json")).json()
    needed = next(
        operation["x-billhook-scope"]
        for template, operations in spec["paths"].items()
        if _matches(template, path)
        for verb, operation in operations.items()
        if verb == method.lower()
    )
    others = [Scope.TRIGGER] if needed != "trigger" else [Scope.READ, Scope.APPROVE]
    answer = await api_without_temporal.http.request(
        method, path, json={}, headers=await api_without_temporal.token(*others)
    )
    assert answer.status_code == 403
    assert needed in answer.json()["detail"]


def _matches(template: str, path: str) -> bool:
    pairs = list(zip(template.split("/"), path.split("/"), strict=False))
    return template.count("/") == path.count("/") and all(a == b or a.startswith("{") for a, b in pairs)


async def test_no_route_is_unguarded_but_those_that_are_meant_to_be(api_without_temporal: Api) -> None:
    spec = (await api_without_temporal.http.get("/openapi.json")).json()
    unguarded = {path for path, verbs in spec["paths"].items() for each in verbs.values() if "security" not in each}
    assert unguarded == OPEN
    guarded = len([1 for verbs in spec["paths"].values() for each in verbs.values() if "security" in each])
    assert guarded == len(GUARDED)
    assert spec["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert issubclass(GuardedRoute, APIRoute)


async def test_a_revoked_token_opens_nothing(api_without_temporal: Api) -> None:
    headers = await api_without_temporal.token(Scope.READ)
    assert (await api_without_temporal.http.get("/invoices", headers=headers)).status_code == 200
    async with api_without_temporal.database.session() as session:
        name = next(t.name for t in await _tokens(session) if t.scopes == ["read"])
    async with api_without_temporal.database.transaction() as session:
        await revoke_token(session, name)
    assert (await api_without_temporal.http.get("/invoices", headers=headers)).status_code == 401


async def _tokens(session: Any) -> list[Any]:
    from records.tokens import list_tokens  # noqa: PLC0415

    return await list_tokens(session)


@pytest.mark.parametrize("path", ["/healthz", "/invoices", "/webhooks/jupiter", "/nowhere"])
async def test_a_2_mb_body_is_a_413_on_every_route(api_without_temporal: Api, path: str) -> None:
    answer = await api_without_temporal.http.post(path, content=b"x" * 2_000_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_path_and_a_wrong_method_are_problems(api_without_temporal: Api) -> None:
    nowhere, wrong = [await api_without_temporal.http.delete(path) for path in ("/nowhere", "/invoices")]
    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    for answer in (nowhere, wrong):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    assert wrong.headers["allow"]


async def test_a_fault_of_ours_tells_nothing_of_it(api_without_temporal: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret innards")

    monkeypatch.setattr("records.invoices.list_views", broken)
    answer = await api_without_temporal.http.get("/invoices")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:billhook:internal")
    assert "innards" not in answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "nobody"), ("currency", "XXQ"), ("segment", "huge"), ("name", ""), ("invoice_number", "7")],
)
async def test_a_bad_customer_field_is_named(api_without_temporal: Api, field: str, value: str) -> None:
    answer = await api_without_temporal.http.put("/customers/globex", json=CUSTOMER | {field: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await api_without_temporal.http.get("/customers/globex")).status_code == 404


async def test_a_customer_reads_as_it_was_put(api_without_temporal: Api) -> None:
    await api_without_temporal.http.put("/customers/globex", json=CUSTOMER | {"crm_ref": "crm_7"})
    answer = await api_without_temporal.http.get("/customers/globex")
    assert answer.json() == CUSTOMER | {"id": "globex", "crm_ref": "crm_7", "recipient_fields": {}}


async def test_ready_with_temporal_and_not_without(tmp_path: Path, temporal_address: str) -> None:
    async with running_api(temporal_address, tmp_path) as api:
        answer = await api.http.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (200, True), answer.text
    async with running_api("127.0.0.1:1", tmp_path) as api:
        answer = await api.http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "ok")
        assert "TEMPORAL_ADDRESS" in answer.json()["checks"]["temporal"]
        assert (await api.http.get("/healthz")).status_code == 200


async def test_metrics_count_by_route_and_never_by_key(api_without_temporal: Api) -> None:
    await api_without_temporal.http.get("/invoices/invoice:secret-project:m1")
    text = (await api_without_temporal.http.get("/metrics")).text
    assert 'route="/invoices/{key}"' in text
    assert "secret-project" not in text


async def test_a_decision_while_temporal_is_away_is_a_503_that_says_what_to_do(api_without_temporal: Api) -> None:
    api = api_without_temporal
    key = (await api.http.post("/triggers/milestone", json=milestone_body())).json()["key"]
    answer = await api.http.post(f"/invoices/{key}/decision", json={"action": "approve", "revision": "r"})
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"]
    assert answer.json()["next_step"]


async def test_a_decision_on_no_invoice_is_a_404(api_without_temporal: Api) -> None:
    body = {"action": "approve", "revision": "r"}
    answer = await api_without_temporal.http.post("/invoices/invoice:no:body/decision", json=body)
    assert answer.status_code == 404


async def test_a_decision_where_the_workflow_was_terminated_is_a_409(api: Api, temporal_address: str) -> None:
    key = (await api.http.post("/triggers/milestone", json=milestone_body())).json()["key"]
    client = await Client.connect(temporal_address, data_converter=pydantic_data_converter)
    await client.get_workflow_handle(key).terminate("test")
    assert await closed_as(client, key) == "terminated"
    answer = await api.http.post(f"/invoices/{key}/cancel", json={"reason": "gone"})
    assert answer.status_code == 409, answer.text


async def test_lists_page_by_cursor_and_name_a_bad_one(api_without_temporal: Api) -> None:
    api = api_without_temporal
    keys = {(await api.http.post("/triggers/milestone", json=milestone_body())).json()["key"] for _ in range(3)}
    first = (await api.http.get("/invoices?limit=2")).json()
    rest = (await api.http.get("/invoices", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert {invoice["key"] for invoice in first["data"] + rest["data"]} == keys
    assert rest["next_cursor"] is None
    bad = await api.http.get("/invoices?cursor=nonsense")
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "cursor")


async def test_a_database_without_its_migrations_is_not_ready(tmp_path: Path, temporal_address: str) -> None:
    async with running_api(temporal_address, tmp_path) as api:
        empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        object.__setattr__(api.parts, "database", empty)
        answer = await api.http.get("/readyz")
        assert answer.status_code == 503
        assert "billhook db upgrade" in answer.json()["checks"]["migrations"]
        await empty.close()


@pytest.mark.parametrize("query", ["stauts=sent", "status=sent&x=", "=1"])
async def test_a_filter_that_there_is_not_is_no_answer_without_the_filter(
    api_without_temporal: Api, query: str
) -> None:
    answer = await api_without_temporal.http.get(f"/invoices?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["cause"] == "there is no such parameter"
    assert "cursor, customer_id, limit, status" in answer.json()["next_step"]
    assert (await api_without_temporal.http.get("/invoices/nothing?x=1")).status_code == 422


async def test_every_refusal_is_described_as_a_problem_and_nothing_else(api_without_temporal: Api) -> None:
    described = (await api_without_temporal.http.get("/openapi.json")).json()
    assert not {"HTTPValidationError", "ValidationError"} & set(described["components"]["schemas"])
    for path, calls in described["paths"].items():
        for method, call in calls.items():
            refusals = {status: one for status, one in call["responses"].items() if status >= "400"}
            if path != "/readyz":
                assert all(list(one["content"]) == ["application/problem+json"] for one in refusals.values()), path
            if "security" in call:
                assert {"401", "403", "429", "503"} <= set(refusals), (method, path)
            if "requestBody" in call:
                assert {"400", "413", "422", "429"} <= set(refusals), (method, path)
