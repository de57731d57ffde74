"""Triggers: once per key however often, and every bad field named with nothing started."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.intent import Motion
from billing.motions import parse_trigger
from records import intents
from records.tokens import Scope
from starter.client import closed_as
from tests.stack import assert_eventually, milestone_body
from tests.starter.conftest import Api, running_api


async def _client(address: str) -> Client:
    return await Client.connect(address, data_converter=pydantic_data_converter)


async def _nothing_registered(api: Api) -> bool:
    return bool((await api.http.get("/invoices")).json()["data"] == [])


async def test_the_same_trigger_posted_50_times_at_once_creates_one_workflow(api: Api, temporal_address: str) -> None:
    body = milestone_body()
    answers = await asyncio.gather(*(api.http.post("/triggers/milestone", json=body) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum(answer.json()["created"] for answer in answers) == 1
    key = answers[0].json()["key"]
    assert key == f"invoice:{body['project_id']}:milestone_3"
    client = await _client(temporal_address)
    found = [run async for run in client.list_workflows(f"WorkflowId = '{key}'")]
    assert len(found) <= 1  # the listing lags; the description below does not
    assert await closed_as(client, key) == "running"
    assert len((await api.http.get("/invoices")).json()["data"]) == 1


async def test_the_same_key_with_another_payload_is_a_409_that_names_the_key(api: Api) -> None:
    body = milestone_body()
    await api.http.post("/triggers/milestone", json=body)
    answer = await api.http.post("/triggers/milestone", json=body | {"amount": "1.00"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:billhook:key-taken"
    assert body["project_id"] in answer.json()["detail"]


async def test_the_same_billing_event_told_twice_by_the_source_is_no_conflict(api: Api) -> None:
    body = milestone_body()
    await api.http.post("/triggers/milestone", json=body)
    answer = await api.http.post("/triggers/milestone", json=body | {"event_id": "again"})
    assert (answer.status_code, answer.json()["created"]) == (202, False)


async def test_a_key_of_another_motion_is_a_409_that_names_the_motion(api: Api) -> None:
    await api.http.post("/triggers/usage", json=_usage("s-1", "2026-10"))
    answer = await api.http.post("/triggers/milestone", json=milestone_body(project_id="s-1", milestone_id="2026-10"))
    assert answer.status_code == 409
    assert "usage" in answer.json()["detail"]


def _usage(subscription: str, period: str) -> dict[str, Any]:
    body = milestone_body(project_id=None, milestone_id=None, description=None, amount=None)
    lines = [{"description": "Calls", "quantity": "3", "unit_price": "0.50"}]
    return body | {"subscription_id": subscription, "period": period, "line_items": lines}


LINES = [{"description": "Work", "quantity": "2", "unit_price": "10.00"}]


@pytest.mark.parametrize(
    ("motion", "changes", "key"),
    [
        ("milestone", {"project_id": "p1"}, "invoice:p1:milestone_3"),
        ("project", {"project_id": "p1", "line_items": LINES}, "invoice:p1:completed"),
        ("quote", {"quote_id": "q1", "line_items": LINES}, "invoice:q1"),
        ("usage", {"subscription_id": "s1", "period": "2026-10", "line_items": LINES}, "invoice:s1:2026-10"),
        (
            "overage",
            {
                "subscription_id": "s1",
                "period": "2026-10",
                "meter": "calls",
                "quantity": "1000",
                "unit_price": "0.0004",
            },
            "invoice:s1:overage:2026-10:calls",
        ),
    ],
)
async def test_every_motion_has_its_key(
    api_without_temporal: Api, motion: str, changes: dict[str, Any], key: str
) -> None:
    api = api_without_temporal
    body = milestone_body(**changes)
    if motion != "milestone":
        for name in {"project_id", "milestone_id", "description", "amount"} - changes.keys():
            body.pop(name)
    answer = await api.http.post(f"/triggers/{motion}", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["key"] == answer.json()["workflow_id"] == key
    assert answer.json()["invoice_url"].endswith(f"/invoices/{key}")


BAD = [
    ("an unknown customer", {"customer_id": "nobody"}, "customer_id"),
    ("a negative amount", {"amount": "-5.00"}, "amount"),
    ("nothing to bill", {"amount": "0.00"}, "amount"),
    ("a malformed amount", {"amount": "12,50"}, "amount"),
    ("an amount as a number", {"amount": 12.5}, "amount"),
    ("an unknown currency", {"currency": "XXQ"}, "currency"),
    ("too many decimals for USD", {"amount": "1.005"}, "amount"),
    ("too many decimals for JPY", {"amount": "100.5", "currency": "JPY"}, "amount"),
    ("bad terms", {"payment_terms": "soon"}, "payment_terms"),
    ("a key with a colon in it", {"project_id": "a:b"}, "project_id"),
    ("a reserved milestone", {"milestone_id": "completed"}, "milestone_id"),
    ("a field that is not ours to set", {"po_number": "PO-1"}, "po_number"),
    ("a time without a zone", {"occurred_at": "2026-10-14T09:30:00"}, "occurred_at"),
    ("no description", {"description": None}, "description"),
    ("a discount over 100 percent", {"discount": {"type": "percent", "value": "120"}}, "discount.value"),
]


@pytest.mark.parametrize(("what", "changes", "field"), BAD, ids=[case[0] for case in BAD])
async def test_a_bad_field_is_a_422_that_names_it_and_starts_nothing(
    api_without_temporal: Api, what: str, changes: dict[str, Any], field: str
) -> None:
    answer = await api_without_temporal.http.post("/triggers/milestone", json=milestone_body(**changes))
    assert answer.status_code == 422, (what, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["errors"][0]["cause"]
    assert answer.json()["errors"][0]["next_step"]
    assert await _nothing_registered(api_without_temporal)


UNTIMELY = [
    ({"due_date": "2026-10-20"}, "due_date", "leave it out"),
    ({"occurred_at": f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}, "occurred_at", "clock"),
]


@pytest.mark.parametrize(("changes", "field", "step"), UNTIMELY, ids=[case[1] for case in UNTIMELY])
async def test_times_that_cannot_be_meant_are_a_422_with_the_next_step_and_start_nothing(
    api_without_temporal: Api, changes: dict[str, Any], field: str, step: str
) -> None:
    body = milestone_body(**changes)
    answer = await api_without_temporal.http.post("/triggers/milestone", json=body)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"], step in error["next_step"]) == (422, field, True), answer.text
    assert await _nothing_registered(api_without_temporal)
    explained = await api_without_temporal.http.post("/policy/explain", json={"motion": "milestone", "trigger": body})
    assert (explained.status_code, explained.json()["errors"]) == (422, [error | {"cause": ANY}])


async def test_a_trigger_that_comes_again_when_its_due_date_is_over_is_still_the_same_one(
    api_without_temporal: Api,
) -> None:
    api = api_without_temporal
    body = milestone_body(due_date="2026-10-20")
    async with api.database.transaction() as session:
        await intents.register(session, parse_trigger(Motion.MILESTONE, body, "pm-tool"))
    answer = await api.http.post("/triggers/milestone", json=body)
    assert (answer.status_code, answer.json()["created"]) == (202, False), answer.text


async def test_empty_lines_are_a_422_that_names_them_and_starts_nothing(api_without_temporal: Api) -> None:
    body = _usage("s1", "2026-10") | {"line_items": []}
    answer = await api_without_temporal.http.post("/triggers/usage", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["line_items"]
    assert await _nothing_registered(api_without_temporal)


async def test_a_bad_line_is_named_by_its_place(api_without_temporal: Api) -> None:
    body = _usage("s1", "2026-10") | {"line_items": [*LINES, {"description": "x", "unit_price": "1.001"}]}
    answer = await api_without_temporal.http.post("/triggers/usage", json=body)
    assert answer.json()["errors"][0]["field"] == "line_items.1.unit_price"


async def test_a_2_mb_trigger_is_a_413(api_without_temporal: Api) -> None:
    body = milestone_body(description="x" * 2_000_000)
    answer = await api_without_temporal.http.post("/triggers/milestone", json=body)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert await _nothing_registered(api_without_temporal)


async def test_a_body_that_is_no_json_is_a_400(api_without_temporal: Api) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b"{", b"\xff\xfe", b"", b'{"amount": nope}'):
        answer = await api_without_temporal.http.post("/triggers/milestone", content=content, headers=headers)
        assert answer.status_code in {400, 422}, (content, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_wrong_scope_is_a_403_that_names_the_right_one_and_starts_nothing(api_without_temporal: Api) -> None:
    headers = await api_without_temporal.token(Scope.READ, Scope.APPROVE)
    answer = await api_without_temporal.http.post("/triggers/milestone", json=milestone_body(), headers=headers)
    assert answer.status_code == 403
    assert "'trigger'" in answer.json()["detail"]
    assert await _nothing_registered(api_without_temporal)


async def test_a_trigger_while_temporal_is_away_is_taken_and_started_when_it_is_back(
    tmp_path: Path, temporal_address: str
) -> None:
    async with running_api("127.0.0.1:1", tmp_path) as api:
        answer = await api.http.post("/triggers/milestone", json=milestone_body())
        assert (answer.status_code, answer.json()["created"]) == (202, True)
        key = answer.json()["key"]
        assert (await api.http.get(f"/invoices/{key}")).json()["status"] == "drafting"
    async with running_api(temporal_address, tmp_path):
        client = await _client(temporal_address)

        async def runs() -> bool:
            return await closed_as(client, key) == "running"

        await assert_eventually(runs)
