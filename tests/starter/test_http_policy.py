"""The policy over HTTP: what is in force, what would happen to a trigger, what another policy would have done."""

import pytest

from billing.assessing import assess
from billing.assessment import History
from billing.intent import Motion
from billing.money import Money
from billing.motions import parse_trigger
from billing.policy import Policy
from records import intents, invoices
from records.sql import now
from tests.records.make import AT, an_intent
from tests.stack import milestone_body
from tests.starter.conftest import CUSTOMER, Api


async def _customer(api: Api, **changes: object) -> None:
    assert (await api.http.put("/customers/acme", json=CUSTOMER | changes)).is_success


async def test_the_policy_in_force_is_read_with_the_hash_that_assessments_carry(api_without_temporal: Api) -> None:
    found = (await api_without_temporal.http.get("/policy")).json()
    assert found["content_hash"] == Policy().content_hash
    assert Policy.model_validate(found["policy"]) == Policy()


async def test_a_trigger_is_explained_and_nothing_is_started(api_without_temporal: Api) -> None:
    api = api_without_temporal
    await _customer(api)
    body = {"motion": "milestone", "trigger": milestone_body(amount="25000.01")}
    found = (await api.http.post("/policy/explain", json=body)).json()
    assert (found["automatic"], found["exists"], found["total"]) == (False, False, "25000.01")
    assert [reason["rule"] for reason in found["reasons"]] == ["over_threshold"]
    assert "wait for a person" in found["outcome"]
    assert found["remind_at"]
    assert (await api.http.get("/invoices")).json()["data"] == []


async def test_another_currency_than_the_customer_s_is_noted_where_the_policy_asks_nobody(
    api_without_temporal: Api,
) -> None:
    await _customer(api_without_temporal)
    for currency, notes in (("USD", []), ("EUR", ["The invoice is in EUR, and the customer's record says USD."])):
        body = {"motion": "milestone", "trigger": milestone_body(currency=currency, amount="10.00")}
        found = (await api_without_temporal.http.post("/policy/explain", json=body)).json()
        assert (found["automatic"], found["notes"]) == (True, notes)


async def test_a_key_that_stands_is_said_to_stand(api_without_temporal: Api) -> None:
    api = api_without_temporal
    await _customer(api)
    body = milestone_body(project_id="project_1", milestone_id="milestone_1")
    async with api.database.transaction() as session:
        await intents.register(session, parse_trigger(Motion.MILESTONE, body))
    found = (await api.http.post("/policy/explain", json={"motion": "milestone", "trigger": body})).json()
    assert found["exists"]
    assert "registered already" in found["outcome"]
    other = {"motion": "milestone", "trigger": body | {"amount": "1.00"}}
    found = (await api.http.post("/policy/explain", json=other)).json()
    assert found["exists"]
    assert (
        found["outcome"] == "It would be refused: invoice:project_1:milestone_1 is already used with another payload."
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer_id": "nobody"}, "customer_id"),
        ({"amount": "1.999"}, "amount"),
        ({"milestone_id": "a b"}, "milestone_id"),
    ],
)
async def test_what_cannot_be_billed_is_refused_by_field(
    api_without_temporal: Api, changes: dict[str, str], field: str
) -> None:
    await _customer(api_without_temporal)
    body = {"motion": "milestone", "trigger": milestone_body(**changes)}
    answer = await api_without_temporal.http.post("/policy/explain", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_a_motion_without_a_trigger_is_refused_by_name(api_without_temporal: Api) -> None:
    answer = await api_without_temporal.http.post("/policy/explain", json={"motion": "manual", "trigger": {}})
    assert answer.json()["errors"][0]["field"] == "motion"


async def test_another_policy_is_judged_over_what_was_assessed(api_without_temporal: Api) -> None:
    api = api_without_temporal
    await _customer(api)
    found = assess(
        Policy(), motion=Motion.MILESTONE, total=Money(minor=125000, currency="USD"), history=History(), now=now()
    )
    async with api.database.transaction() as session:
        await intents.register(session, an_intent())
        await invoices.save_assessment(session, an_intent().key, "r1", found)
    strict = {"policy": '[thresholds]\ndefault = "1000.00"', "since": AT.isoformat()}
    told = (await api.http.post("/policy/simulate", json=strict)).json()
    assert (told["judged"], told["automatic_then"], told["automatic_now"]) == (1, 1, 0)
    assert told["newly_ask"]["invoices"][0]["key"] == an_intent().key
    assert told["newly_ask"]["amounts"] == {"USD": "1250.00"}
    none = (await api.http.post("/policy/simulate", json=strict | {"since": "2099-01-01T00:00:00Z"})).json()
    assert none["judged"] == 0


async def test_a_policy_that_cannot_be_used_is_refused_by_key_and_line(api_without_temporal: Api) -> None:
    body = {"policy": "[thresholds]\nUSD = 5", "since": AT.isoformat()}
    answer = await api_without_temporal.http.post("/policy/simulate", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "thresholds.USD"
    assert "line 2" in answer.json()["errors"][0]["cause"]


async def test_a_number_is_no_time_to_simulate_from(api_without_temporal: Api) -> None:
    answer = await api_without_temporal.http.post("/policy/simulate", json={"policy": "", "since": 0})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "since"
