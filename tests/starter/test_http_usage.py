"""Subscriptions and usage over HTTP: what is answered is what counts, and an overage becomes an invoice."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from records import usage
from tests.stack import assert_eventually
from tests.starter.conftest import Api, running_api

MOTIONS = """
[[billing_groups]]
name = "europe"
zone = "Europe/Berlin"
currency = "EUR"

[[billing_groups]]
name = "nz"
zone = "Pacific/Auckland"
"""
PLAN: dict[str, Any] = {
    "customer_id": "acme",
    "billing_group": "nz",
    "currency": "USD",
    "started_on": "2024-01-01",
    "charges": [
        {"meter": "api", "model": "per_unit", "unit_price": "0.50", "included": "100", "overage": "invoice"},
        {"meter": "gb", "model": "graduated", "tiers": [{"up_to": "10", "unit_price": "1"}, {"unit_price": "0.5"}]},
    ],
}


def an_event(name: str, quantity: str = "1", **changes: Any) -> dict[str, Any]:
    body = {"event_id": name, "subscription_id": "sub_1", "meter": "api", "quantity": quantity}
    return body | {"at": "2024-02-29T10:59:59Z"} | changes


def running(address: str, folder: Path) -> AbstractAsyncContextManager[Api]:
    file = folder / "motions.toml"
    file.write_text(MOTIONS)
    return running_api(address, folder, motions_file=file)


@pytest.fixture
async def metered(tmp_path: Path) -> AsyncIterator[Api]:
    """With a subscription; nothing listens where Temporal is looked for."""
    async with running("127.0.0.1:1", tmp_path) as api:
        answer = await api.http.put("/subscriptions/sub_1", json=PLAN)
        assert answer.status_code == 200, answer.text
        yield api


async def test_a_subscription_reads_as_it_was_put_with_what_waits_to_be_billed(metered: Api) -> None:
    put = await metered.http.put("/subscriptions/sub_1", json=PLAN)
    read = (await metered.http.get("/subscriptions/sub_1")).json()
    assert read == put.json() | {"open_usage": []}
    assert read["id"] == "sub_1"
    assert (read["started_on"], read["ended_on"], read["payment_terms"]) == ("2024-01-01", None, "net_30")
    await metered.http.post("/usage/events", json=[an_event("1", "2.50"), an_event("2", at="2024-02-29T11:00:00Z")])
    waits = (await metered.http.get("/subscriptions/sub_1")).json()["open_usage"]
    assert waits == [
        {"period": "2024-02", "meter": "api", "used_in": "2024-02", "quantity": "2.5"},
        {"period": "2024-03", "meter": "api", "used_in": "2024-03", "quantity": "1"},
    ]
    assert (await metered.http.get("/subscriptions/sub_9")).status_code == 404


async def test_subscriptions_are_listed_by_page_group_and_customer(metered: Api) -> None:
    for name in ("sub_2", "sub_3"):
        await metered.http.put(f"/subscriptions/{name}", json=PLAN | {"billing_group": "europe", "currency": "EUR"})
    first = (await metered.http.get("/subscriptions?limit=2")).json()
    rest = (await metered.http.get("/subscriptions", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["data"] + rest["data"]] == ["sub_1", "sub_2", "sub_3"]
    found = (await metered.http.get("/subscriptions?billing_group=europe&customer_id=acme")).json()
    assert [one["id"] for one in found["data"]] == ["sub_2", "sub_3"]


async def test_every_wrong_field_of_a_plan_is_named_with_what_to_send_instead(metered: Api) -> None:
    body = {name: [] for name in PLAN if name != "charges"} | {"charges": 3, "color": "red"}
    answer = (await metered.http.put("/subscriptions/sub_1", json=body)).json()
    assert {one["field"] for one in answer["errors"]} >= {"customer_id", "currency", "started_on", "charges", "color"}
    assert all(one["cause"] and one["next_step"] for one in answer["errors"]), answer
    assert "should" not in answer["detail"]
    assert answer["detail"].endswith(f"and {len(answer['errors']) - 5} more")


@pytest.mark.parametrize(("field", "other"), [("customer_id", "globex"), ("currency", "EUR")])
async def test_usage_of_a_subscription_is_billed_to_its_own_customer_in_its_own_currency(
    metered: Api, field: str, other: str
) -> None:
    customer = {"name": "Globex", "email": "ap@globex.example", "segment": "standard", "currency": "USD"}
    assert (await metered.http.put("/customers/globex", json=customer)).is_success
    trigger = {
        "event_id": "e1", "occurred_at": "2024-02-29T09:30:00Z", "customer_id": "acme", "currency": "USD",
        "subscription_id": "sub_1", "period": "2024-02", "meter": "api", "quantity": "1000000", "unit_price": "0.50",
    }  # fmt: skip
    refused = await metered.http.post("/triggers/overage", json=trigger | {field: other})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    assert (await metered.http.post("/triggers/overage", json=trigger)).status_code == 202


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"billing_group": "mars"}, 422, "billing_group"),
    ({"billing_group": "europe"}, 422, "currency"),
    ({"customer_id": "nobody"}, 422, "customer_id"),
    ({"currency": "XXQ"}, 422, "currency"),
    ({"started_on": "yesterday"}, 422, "started_on"),
    ({"charges": []}, 422, "charges"),
    ({"charges": [{"meter": "a", "model": "flat", "amount": "1.005"}]}, 422, "charges.0.amount"),
    ({"charges": [{"meter": "a", "model": "flat", "amount": 5}]}, 422, "charges.0.amount"),
    ({"charges": [{"meter": "a", "model": "rent"}]}, 422, "charges.0.model"),
    ({"plan": "gold"}, 422, "plan"),
]


@pytest.mark.parametrize(
    ("change", "status", "field"), WRONG, ids=[f"{field} {n}" for n, (_, _, field) in enumerate(WRONG)]
)
async def test_a_subscription_that_cannot_be_billed_is_refused_by_field(
    metered: Api, change: dict[str, Any], status: int, field: str
) -> None:
    answer = await metered.http.put("/subscriptions/sub_2", json=PLAN | change)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field), answer.text
    assert (await metered.http.get("/subscriptions/sub_2")).status_code == 404


async def test_an_id_that_cannot_stand_in_a_key_is_refused(metered: Api) -> None:
    answer = await metered.http.put("/subscriptions/a:b", json=PLAN)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "id")


async def test_a_change_that_counted_usage_forbids_is_a_409_that_says_what_to_do(metered: Api) -> None:
    await metered.http.post("/usage/events", json=an_event("1"))
    answer = await metered.http.put("/subscriptions/sub_1", json=PLAN | {"charges": PLAN["charges"][1:]})
    assert answer.status_code == 409, answer.text
    assert answer.json()["errors"][0]["field"] == "charges"
    assert answer.json()["next_step"]


async def test_one_event_is_answered_alone_and_a_refused_one_is_a_problem(metered: Api) -> None:
    answer = await metered.http.post("/usage/events", json=an_event("1", "2.5"))
    assert (answer.status_code, answer.json()) == (200, {
        "created": 1, "late": 0, "known": 0, "refused": 0, "overages": [],
        "results": [
            {"event_id": "1", "status": "created", "period": "2024-02", "field": "", "reason": "", "next_step": ""}
        ],
    })  # fmt: skip
    again = await metered.http.post("/usage/events", json=an_event("1", "2.5"))
    assert (again.status_code, again.json()["known"]) == (200, 1)
    for change, field in (({"quantity": "x"}, "quantity"), ({"meter": "cpu"}, "meter"), ({"at": "now"}, "at")):
        refused = await metered.http.post("/usage/events", json=an_event("2") | change)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), refused.text
        assert refused.headers["content-type"] == "application/problem+json"


async def test_a_batch_is_answered_event_by_event_and_what_is_refused_stops_nothing(metered: Api) -> None:
    async with metered.database.transaction() as session:
        await usage.close(session, ["sub_1"], "2024-01")
    batch = [
        an_event("a"),
        "no event",
        an_event("b", at="2024-01-31T10:59:59Z"),
        an_event("a"),
        an_event("c") | {"quantity": 1.5},
        an_event("d", subscription_id="sub_9"),
        {"event_id": "e"},
    ]
    answer = await metered.http.post("/usage/events", json=batch)
    assert answer.status_code == 207
    body = answer.json()
    assert {name: body[name] for name in ("created", "late", "known", "refused")} == {
        "created": 1, "late": 1, "known": 1, "refused": 4,
    }  # fmt: skip
    told = [(one["event_id"], one["status"], one["period"], one["field"]) for one in body["results"]]
    assert told == [
        ("a", "created", "2024-02", ""),
        ("", "refused", None, "body"),
        ("b", "late", "2024-02", ""),
        ("a", "known", "2024-02", ""),
        ("c", "refused", None, "quantity"),
        ("d", "refused", None, "subscription_id"),
        ("e", "refused", None, "subscription_id"),
    ]
    again = (await metered.http.post("/usage/events", json=batch)).json()
    assert (again["created"], again["known"], again["refused"]) == (0, 3, 4)


async def test_a_dry_run_answers_as_if_and_counts_nothing(metered: Api) -> None:
    batch = [an_event("1", "150"), an_event("2", meter="cpu")]
    answers = [await metered.http.post("/usage/events?dry_run=true", json=batch) for _ in range(2)]
    for answer in answers:
        assert (answer.status_code, answer.json()["created"], answer.json()["refused"]) == (207, 1, 1)
        assert answer.json()["overages"] == ["invoice:sub_1:overage:2024-02:api"]
    assert (await metered.http.get("/subscriptions/sub_1")).json()["open_usage"] == []
    assert (await metered.http.get("/invoices")).json()["data"] == []


@pytest.mark.parametrize(("body", "words"), [([], "body: it is empty"), ([{}] * 1001, "body: it holds more than 1000")])
async def test_no_events_and_too_many_are_refused_as_a_whole(metered: Api, body: list[Any], words: str) -> None:
    answer = await metered.http.post("/usage/events", json=body)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]


async def test_a_thousand_events_fit_into_one_call(metered: Api) -> None:
    batch = [an_event(f"evt_{number}", "0.05") for number in range(1000)]
    answer = await metered.http.post("/usage/events", json=batch)
    assert (answer.status_code, answer.json()["created"]) == (200, 1000), answer.text
    assert (await metered.http.get("/subscriptions/sub_1")).json()["open_usage"][0]["quantity"] == "50"


async def test_an_event_from_the_future_is_refused(metered: Api) -> None:
    ahead = datetime.now(UTC).replace(year=datetime.now(UTC).year + 2, day=1).isoformat()
    answer = await metered.http.post("/usage/events", json=an_event("1", at=ahead))
    assert (answer.status_code, "yet to come" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    "at", ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"]
)
async def test_a_time_that_no_calendar_holds_is_refused_as_the_field_that_it_is(metered: Api, at: str) -> None:
    await metered.http.put("/subscriptions/sub_1", json=PLAN | {"started_on": "0001-01-01"})
    answer = await metered.http.post("/usage/events", json=[an_event("1", at=at), an_event("2")])
    assert answer.status_code == 207, answer.text
    told = [(one["status"], one["field"]) for one in answer.json()["results"]]
    assert told == [("refused", "at"), ("created", "")]
    body = {"event_id": "1", "occurred_at": at, "customer_id": "acme", "currency": "USD", "project_id": "p"}
    body |= {"milestone_id": "m", "description": "Done", "amount": "1.00"}
    trigger = await metered.http.post("/triggers/milestone", json=body)
    assert (trigger.status_code, trigger.json()["errors"][0]["field"]) == (422, "occurred_at"), trigger.text


async def test_half_of_a_letter_stops_none_of_the_others_nor_the_answer(metered: Api) -> None:
    batch = [an_event("\ud800"), an_event("2"), {"\udfff": 1}]
    answer = await metered.http.post(
        "/usage/events", content=json.dumps(batch), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 207, answer.text
    told = [(one["event_id"], one["status"], one["field"]) for one in answer.json()["results"]]
    assert told == [("?", "refused", "event_id"), ("2", "created", ""), ("", "refused", "body")]


async def test_openapi_names_the_event_and_both_answers(metered: Api) -> None:
    spec = (await metered.http.get("/openapi.json")).json()
    call = spec["paths"]["/usage/events"]["post"]
    assert "UsageEvent" in str(call["requestBody"])
    assert set(spec["components"]["schemas"]["UsageEvent"]["required"]) == {
        "event_id", "subscription_id", "meter", "quantity", "at",
    }  # fmt: skip
    assert {"200", "207", "401", "403", "422"} <= set(call["responses"])


async def test_an_overage_is_registered_with_the_usage_and_started_by_the_sweep(
    temporal_address: str, tmp_path: Path
) -> None:
    async with running(temporal_address, tmp_path) as api:
        await api.http.put("/subscriptions/sub_1", json=PLAN)
        answer = (await api.http.post("/usage/events", json=[an_event("1", "100"), an_event("2", "20")])).json()
        key = "invoice:sub_1:overage:2024-02:api"
        assert answer["overages"] == [key]
        invoice = (await api.http.get(f"/invoices/{key}")).json()
        assert (invoice["motion"], invoice["total"], invoice["currency"]) == ("overage", "10.00", "USD")
        client = await api.parts.engine.client()

        async def is_running() -> bool:
            try:
                return (await client.get_workflow_handle(key).describe()).id == key
            except Exception:  # noqa: BLE001 - not there yet
                return False

        await assert_eventually(is_running)


async def test_a_plan_s_overage_survives_that_temporal_is_away(metered: Api) -> None:
    answer = await metered.http.post("/usage/events", json=an_event("1", "150"))
    assert (answer.status_code, answer.json()["overages"]) == (200, ["invoice:sub_1:overage:2024-02:api"])
    invoices = (await metered.http.get("/invoices")).json()["data"]
    assert [(one["key"], one["total"]) for one in invoices] == [("invoice:sub_1:overage:2024-02:api", "25.00")]
