"""What stored events become: one intent each however often they come, nothing with a reason, or a wait for a person."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from billing.mappings import System
from billing.money import plain_text
from billing.record import Fate
from records import intents
from records.tables import EventRow
from starter.vendors.calls import object_of
from tests.hubspot import FakeHubSpot
from tests.stack import assert_eventually
from tests.starter.conftest import CUSTOMER, Api, running_api
from tests.starter.vendors import samples
from tests.starter.vendors.conftest import impatient, running_vendors, stored, vendor_settings
from tests.starter.vendors.samples import PUBLIC, as_bytes


async def deliver(api: Api, system: str, body: Any, **headers: str) -> httpx.Response:
    """Signed as the vendor signs."""
    raw = as_bytes(body)
    given = {
        "github": lambda: samples.github_signed(raw),
        "linear": lambda: samples.linear_signed(raw),
        "jira": lambda: samples.jira_signed(raw),
        "hubspot": lambda: samples.hubspot_signed(raw, url=f"{PUBLIC}/webhooks/hubspot"),
        "stripe": lambda: samples.stripe_signed(raw),
        "generic": lambda: samples.standard_signed(raw),
        "cloudevents": lambda: samples.standard_signed(raw) | {"content-type": "application/cloudevents+json"},
    }[system]()
    answer = await api.http.post(f"/webhooks/{system}", content=raw, headers={"Authorization": "", **given, **headers})
    assert answer.is_success, answer.text
    return answer


async def settled(api: Api, count: int = 1) -> list[EventRow]:
    """All stored events, once so many came to an end."""

    async def look() -> list[EventRow] | None:
        rows = await stored(api)
        return rows if len([row for row in rows if row.fate != Fate.PENDING]) >= count else None

    found: list[EventRow] = await assert_eventually(look)
    return found


async def keys(api: Api) -> set[str]:
    answer = await api.http.get("/invoices")
    return {invoice["key"] for invoice in answer.json()["data"]}


async def intent(api: Api, key: str) -> Any:
    async with api.database.session() as session:
        found = await intents.get_intent(session, key)
    assert found is not None, await stored(api)
    return found


def lines(found: Any) -> list[tuple[str, str, str]]:
    return [
        (line.description, plain_text(line.quantity), plain_text(line.unit_price)) for line in found.commercial.lines
    ]


BILLS = {
    "github": (samples.github, "invoice:acme.website:3", "12500.00", [("Phase 2 of acme/website", "1", "12500")]),
    "linear": (
        samples.linear,
        "invoice:5f3c1f84-7d4a-4b1e-9f5d-5d7f1f0b9a11:completed",
        "7000.00",
        [("Design", "1", "4000"), ("Build", "2.5", "1200")],
    ),
    "jira": (samples.jira, "invoice:jira.10001:10200", "800.00", [("Release v1.4", "1", "800")]),
    "stripe": (
        samples.stripe,
        "invoice:sub_7:2026-10",
        "140.00",
        [("Platform", "1", "99"), ("17 seats", "1", "51")],
    ),
    "generic": (samples.generic, "invoice:crane:m1", "900.00", [("Foundation poured", "1", "900")]),
    "cloudevents": (samples.cloudevent, "invoice:job-9:completed", "120.00", [("Rendering", "3", "40")]),
}


@pytest.mark.parametrize("system", sorted(BILLS))
async def test_an_event_becomes_the_invoice_that_the_mapping_says(vendors: Api, system: str) -> None:
    body, key, total, billed = BILLS[system]
    await deliver(vendors, system, body())
    (row,) = await settled(vendors)
    assert (row.fate, row.reason) == (Fate.APPLIED, f"{key} began with it")
    found = await intent(vendors, key)
    assert (str(found.commercial.total.major), lines(found)) == (total, billed)
    assert (found.customer_id, found.source.triggered_by) == ("acme", f"{system} webhook")


@pytest.mark.parametrize("system", sorted(BILLS))
async def test_another_delivery_of_the_same_happening_starts_nothing_twice(vendors: Api, system: str) -> None:
    body, key = BILLS[system][:2]
    event = body()
    for _ in range(3):
        again = event | ({"id": samples.cloudevent()["id"]} if "id" in event else {})
        await deliver(vendors, system, again)
    rows = await settled(vendors, 3)
    assert (
        sorted(row.reason for row in rows)
        == [f"{key} began with it"] + [f"{key} was there already, with the same payload"] * 2
    )
    assert await keys(vendors) == {key}


IGNORED = [
    ("github", samples.github(action="opened"), {}, "milestone.opened"),
    ("github", samples.github(), {"x-github-event": "ping"}, "ping.closed"),
    ("github", samples.github(milestone={"title": "Chores"}), {}, "[[github.milestones]]"),
    ("github", samples.github(repository={"full_name": "acme/other"}), {}, "'acme/other'"),
    ("linear", samples.linear(type="Issue"), {}, "Issue.update"),
    ("linear", samples.linear(data={"completedAt": None}), {}, "not completed"),
    ("linear", samples.linear() | {"updatedFrom": {"description": "x"}}, {}, "completed before"),
    ("linear", samples.linear(data={"name": "Chores"}), {}, "[[linear.projects]]"),
    ("jira", samples.jira(webhookEvent="jira:issue_created"), {}, "jira:issue_created"),
    ("jira", samples.jira(version={"projectId": 7}), {}, "[[jira.versions]]"),
    ("hubspot", [samples.hubspot(5, propertyName="amount")], {}, "dealstage"),
    ("hubspot", [samples.hubspot(5, propertyValue="qualified")], {}, "[[hubspot.won]]"),
    ("hubspot", [samples.hubspot(5, subscriptionType="contact.creation")], {}, "contact.creation"),
    ("hubspot", [samples.hubspot(5, subscriptionType="object.propertyChange", objectTypeId="0-1")], {}, "a deal"),
    ("stripe", samples.stripe() | {"type": "invoice.paid"}, {}, "invoice.paid"),
    ("stripe", samples.stripe(billing_reason="manual"), {}, "manual"),
    ("stripe", samples.stripe(parent={"subscription_details": {"metadata": {"collaborative_invoicing": "no"}}}), {},
     "stripe.metadata_key"),
    ("stripe", samples.stripe(total=0), {}, "total is 0"),
    ("generic", samples.generic(type="other"), {}, '[generic.types."other"]'),
    ("cloudevents", samples.cloudevent(type="a.b"), {}, '[cloudevents.types."a.b"]'),
]  # fmt: skip


@pytest.mark.parametrize(("system", "body", "headers", "words"), IGNORED, ids=[f"{one[0]}-{one[3]}" for one in IGNORED])
async def test_what_bills_nothing_is_kept_and_says_why(
    vendors: Api, system: str, body: Any, headers: dict[str, str], words: str
) -> None:
    if system == "linear":
        # Made when the tests were collected; the door tolerates a minute.
        body = {**body, "webhookTimestamp": samples.now_ms()}
    await deliver(vendors, system, body, **headers)
    (row,) = await settled(vendors)
    assert row.fate == Fate.IGNORED, row.reason
    assert words in row.reason
    assert await keys(vendors) == set()


ISK = {"amount": 15050, "description": "Plan", "period": {"start": 1790812800, "end": 1793491200}}
WRONG = [
    ("stripe", samples.stripe(auto_advance=True), "billed twice"),
    ("stripe", samples.stripe(total=16660), "they come to 140 USD, and in_1 says 166.6"),
    ("stripe", samples.stripe(lines={"has_more": True}), "more lines than an event holds"),
    ("stripe", samples.stripe(currency="isk", lines={"data": [ISK]}, total=14050), "decimals of ISK"),
    ("github", samples.github(milestone={"number": "three"}), "milestone.number"),
    ("generic", samples.generic(data={"amount": 900.0}), "only text is exact"),
    ("generic", samples.generic(data={"milestone_id": "completed"}), "reserved"),
    ("generic", samples.generic() | {"data": []}, "no JSON object"),
    ("cloudevents", samples.cloudevent(data={"job": {"id": None}}), "data.job.id"),
]


@pytest.mark.parametrize(("system", "body", "words"), WRONG, ids=[f"{one[0]}-{one[2]}" for one in WRONG])
async def test_what_cannot_be_right_is_quarantined_and_names_it(
    vendors: Api, system: str, body: Any, words: str
) -> None:
    await deliver(vendors, system, body)
    (row,) = await settled(vendors)
    assert row.fate == Fate.QUARANTINED
    assert words in row.reason
    assert "billhook events replay" in row.reason


async def test_a_key_that_stands_for_another_payload_is_quarantined_and_bills_nothing(vendors: Api) -> None:
    await deliver(vendors, "generic", samples.generic())
    await deliver(vendors, "generic", samples.generic(data={"amount": "901.00"}))
    rows = await settled(vendors, 2)
    (wrong,) = [row for row in rows if row.fate == Fate.QUARANTINED]
    assert "invoice:crane:m1 is already used with another payload" in wrong.reason
    assert (await intent(vendors, "invoice:crane:m1")).commercial.total.minor == 90000


async def test_an_unknown_customer_is_waited_for_then_quarantined_and_replayed_once_he_is_there(vendors: Api) -> None:
    await vendors.parts.dispatcher.stop()
    quick = impatient(vendors)
    await deliver(vendors, "generic", samples.generic(data={"customer_id": "globex"}))
    for attempts in (1, 2):
        await quick.pass_once()
        (row,) = await stored(vendors)
        assert (row.fate, row.attempts) == (Fate.PENDING, attempts)
        assert "PUT /customers/globex" in row.reason
    await quick.pass_once()
    (row,) = await stored(vendors)
    assert row.fate == Fate.QUARANTINED
    assert "PUT /customers/globex" in row.reason
    shown = (await vendors.http.get("/events?fate=quarantined")).json()["data"]
    assert [(one["id"], one["source"]) for one in shown] == [(row.id, "generic")]
    await vendors.http.put("/customers/globex", json=CUSTOMER)
    assert (await vendors.http.post(f"/events/{row.id}/replay")).status_code == 202
    await quick.pass_once()
    assert (await stored(vendors))[0].fate == Fate.APPLIED
    assert await keys(vendors) == {"invoice:crane:m1"}


async def test_what_was_ignored_is_billed_once_it_is_mapped_and_replayed(temporal_address: str, tmp_path: Path) -> None:
    async with running_vendors(temporal_address, tmp_path, motions="") as api:
        await deliver(api, "github", samples.github())
        (row,) = await settled(api)
        assert row.fate == Fate.IGNORED
    async with running_vendors(temporal_address, tmp_path) as api:
        answer = await api.http.post(f"/events/{row.id}/replay")
        assert answer.status_code == 202, answer.text
        assert (await settled(api))[0].fate == Fate.APPLIED
        assert await keys(api) == {"invoice:acme.website:3"}


async def test_nothing_is_lost_while_temporal_is_away_or_the_process_dies_between_store_and_start(
    temporal_address: str, tmp_path: Path
) -> None:
    async with running_vendors("127.0.0.1:1", tmp_path) as api:
        for number in range(5):
            await deliver(api, "github", samples.github(milestone={"number": number + 1}))
        assert {row.fate for row in await stored(api)} <= {Fate.PENDING, Fate.APPLIED}
    async with running_vendors(temporal_address, tmp_path) as api:
        rows = await settled(api, 5)
        assert {row.fate for row in rows} == {Fate.APPLIED}
        assert await keys(api) == {f"invoice:acme.website:{number + 1}" for number in range(5)}
        await assert_eventually(lambda: all_started(api))


async def all_started(api: Api) -> bool:
    async with api.database.session() as session:
        return await intents.unstarted(session, 10) == []


async def test_a_death_between_the_start_and_its_mark_starts_nothing_twice(vendors: Api) -> None:
    """The row is pending again, as a process leaves it that dies before the mark is written."""
    await deliver(vendors, "jira", samples.jira())
    (row,) = await settled(vendors)
    for _ in range(2):
        assert (await vendors.http.post(f"/events/{row.id}/replay")).status_code == 202
        await settled(vendors)
    assert await keys(vendors) == {"invoice:jira.10001:10200"}


async def test_two_api_processes_that_settle_the_same_event_start_one_invoice(vendors: Api) -> None:
    await vendors.parts.dispatcher.stop()
    await deliver(vendors, "linear", samples.linear())
    await asyncio.gather(*(impatient(vendors).pass_once() for _ in range(3)))
    assert (await stored(vendors))[0].fate == Fate.APPLIED
    assert len(await keys(vendors)) == 1


DEAL = "invoice:deal_5"


async def test_a_won_deal_is_read_with_its_line_items_and_company(vendors: Api, hubspot_api: FakeHubSpot) -> None:
    hubspot_api.deal(
        "5",
        items=[
            {"name": "Seats", "quantity": "17", "price": "30.00", "amount": "510.00", "hs_position_on_quote": "1"},
            {"name": "Setup", "quantity": "1", "price": "100.00", "amount": "90.00", "hs_position_on_quote": "0"},
        ],
    )
    await deliver(vendors, "hubspot", [samples.hubspot(5)])
    (row,) = await settled(vendors)
    assert row.fate == Fate.APPLIED, row.reason
    found = await intent(vendors, DEAL)
    assert lines(found) == [("Setup (1 x 100, discounted)", "1", "90"), ("Seats", "17", "30")]
    assert (found.customer_id, found.deal_id, found.motion) == ("acme", "5", "quote")


async def test_a_batch_in_any_order_bills_each_deal_once(vendors: Api, hubspot_api: FakeHubSpot) -> None:
    for deal in (5, 6, 7):
        hubspot_api.deal(str(deal), dealstage="closedwon" if deal != 7 else "contractsent")
    at = samples.now_ms()
    events = [
        samples.hubspot(6, occurredAt=at),
        samples.hubspot(5, occurredAt=at + 5),
        samples.hubspot(5, occurredAt=at - 900, propertyValue="contractsent"),
        samples.hubspot(7, occurredAt=at - 50),
        samples.hubspot(5, occurredAt=at - 400),
        samples.hubspot(6, occurredAt=at),
    ]
    answer = await deliver(vendors, "hubspot", events)
    assert answer.json() == {"events": 6, "created": 5}, "all have one eventId; two are the same"
    rows = await settled(vendors, 5)
    assert sorted(row.fate for row in rows) == ["applied"] * 3 + ["ignored"] * 2
    assert await keys(vendors) == {"invoice:deal_5", "invoice:deal_6"}
    (moved_back,) = [row for row in rows if "contractsent' of pipeline" in row.reason]
    assert object_of(moved_back.raw)["objectId"] == 7


async def test_more_line_items_than_a_page_and_a_batch_are_all_read(vendors: Api, hubspot_api: FakeHubSpot) -> None:
    items: list[dict[str, str | None]] = [{"name": f"Item {n}", "quantity": "1", "price": "1.00"} for n in range(230)]
    hubspot_api.deal("5", items=items)
    hubspot_api.page = 100
    await deliver(vendors, "hubspot", [samples.hubspot(5)])
    await settled(vendors)
    assert (await intent(vendors, DEAL)).commercial.total.minor == 23000
    assert hubspot_api.calls.count("POST /crm/v3/objects/line_items/batch/read") == 3


async def test_a_rate_limit_and_an_outage_are_waited_out_and_nothing_is_lost(
    vendors: Api, hubspot_api: FakeHubSpot
) -> None:
    hubspot_api.deal("5")
    hubspot_api.refusals = [(429, {"Retry-After": "1"}), (502, {})]
    await vendors.parts.dispatcher.stop()
    quick = impatient(vendors)
    await deliver(vendors, "hubspot", [samples.hubspot(5)])
    await quick.pass_once()
    (row,) = await stored(vendors)
    assert (row.fate, row.attempts) == (Fate.PENDING, 1)
    assert "429" in row.reason
    assert row.next_attempt_at is not None

    async def passed() -> bool:
        await quick.pass_once()
        return (await stored(vendors))[0].fate == Fate.APPLIED

    await assert_eventually(passed)
    assert hubspot_api.refusals == []
    assert await keys(vendors) == {DEAL}


async def test_an_outage_longer_than_all_pauses_does_not_quarantine(vendors: Api, hubspot_api: FakeHubSpot) -> None:
    hubspot_api.deal("5")
    hubspot_api.refusals = [(503, {})] * 6
    await vendors.parts.dispatcher.stop()
    quick = impatient(vendors)
    await deliver(vendors, "hubspot", [samples.hubspot(5)])
    for _ in range(6):
        await quick.pass_once()
        assert (await stored(vendors))[0].fate == Fate.PENDING
    await quick.pass_once()
    assert (await stored(vendors))[0].fate == Fate.APPLIED


async def test_a_refused_token_waits_for_somebody_and_is_then_quarantined(
    temporal_address: str, tmp_path: Path, hubspot_api: FakeHubSpot
) -> None:
    given = vendor_settings(tmp_path, hubspot_url=hubspot_api.url, hubspot_token="wrong")
    async with running_api(temporal_address, tmp_path, **given) as api:
        await api.parts.dispatcher.stop()
        await deliver(api, "hubspot", [samples.hubspot(5)])
        for _ in range(3):
            await impatient(api).pass_once()
        (row,) = await stored(api)
        assert row.fate == Fate.QUARANTINED
        assert "the token is not known" in row.reason
        assert "BILLHOOK_HUBSPOT_TOKEN" in row.reason


NOT_YET: list[tuple[dict[str, Any], str]] = [
    ({"company": "78"}, "hubspot.customers"),
    ({"deal_currency_code": None}, "hubspot.currency"),
    ({"amount": None}, "no line items and no amount"),
]


@pytest.mark.parametrize(("deal", "words"), NOT_YET, ids=[one[1] for one in NOT_YET])
async def test_a_deal_that_lacks_something_waits_for_it(
    vendors: Api, hubspot_api: FakeHubSpot, deal: dict[str, Any], words: str
) -> None:
    await vendors.parts.dispatcher.stop()
    hubspot_api.deal("5", **deal)
    await deliver(vendors, "hubspot", [samples.hubspot(5)])
    await impatient(vendors).pass_once()
    (row,) = await stored(vendors)
    assert (row.fate, row.attempts) == (Fate.PENDING, 1), row.reason
    assert words in row.reason


@pytest.mark.parametrize("way", ["crm_ref", "customer_property"])
async def test_a_company_is_found_by_its_property_or_as_a_customers_crm_ref(
    temporal_address: str, tmp_path: Path, hubspot_api: FakeHubSpot, way: str
) -> None:
    motions = "[[hubspot.won]]\n" + ('[hubspot]\ncustomer_property = "our_id"\n' if way == "customer_property" else "")
    hubspot_api.deal("5", company="80")
    async with running_vendors(temporal_address, tmp_path, motions=motions, hubspot_url=hubspot_api.url) as api:
        if way == "crm_ref":
            await api.http.put("/customers/globex", json=CUSTOMER | {"crm_ref": "80"})
        else:
            await api.http.put("/customers/globex", json=CUSTOMER)
            hubspot_api.records["companies"]["80"]["our_id"] = "globex"
        await deliver(api, "hubspot", [samples.hubspot(5)])
        await settled(api)
        assert (await intent(api, DEAL)).customer_id == "globex"


STRIPE = [
    ("jpy", 5000, "5000"),
    ("kwd", 5120, "5.120"),
    ("isk", 50000, "500"),
    ("mga", 5000, "5000.00"),
    ("ugx", 50000, "500"),
    ("usd", 5001, "50.01"),
]


@pytest.mark.parametrize(("currency", "amount", "major"), STRIPE)
async def test_stripes_integers_are_read_by_stripes_own_decimals(
    vendors: Api, currency: str, amount: int, major: str
) -> None:
    period = {"start": 1790812800, "end": 1793491200}
    line = {"amount": amount, "description": "Plan", "period": period}
    changes = {"lines": {"data": [line]}, "total": amount, "total_discount_amounts": None, "currency": currency}
    await deliver(vendors, "stripe", samples.stripe(**changes))
    (row,) = await settled(vendors)
    assert row.fate == Fate.APPLIED, row.reason
    assert str((await intent(vendors, "invoice:sub_7:2026-10")).commercial.total.major) == major


async def test_a_credit_of_a_proration_comes_off_the_total(vendors: Api) -> None:
    period = {"start": 1790812800, "end": 1793491200}
    data = [{"amount": 9900, "period": period}, {"amount": -900, "period": period, "description": "Unused time"}]
    await deliver(vendors, "stripe", samples.stripe(lines={"data": data}, total=8000))
    await settled(vendors)
    assert (await intent(vendors, "invoice:sub_7:2026-10")).commercial.total.minor == 8000


async def test_a_stripe_period_shorter_than_a_month_is_quarantined(vendors: Api) -> None:
    data = [{"amount": 1000, "period": {"start": 1790812800, "end": 1790812800 + 7 * 86400}}]
    await deliver(vendors, "stripe", samples.stripe(lines={"data": data}, total=1000, total_discount_amounts=[]))
    (row,) = await settled(vendors)
    assert (row.fate, "shorter than a month" in row.reason) == (Fate.QUARANTINED, True)


async def test_stripes_older_shape_is_read_too(vendors: Api) -> None:
    old = samples.stripe(subscription="sub_8", subscription_details={"metadata": {"collaborative_invoicing": "true"}})
    del old["data"]["object"]["parent"]
    await deliver(vendors, "stripe", old)
    await settled(vendors)
    assert await keys(vendors) == {"invoice:sub_8:2026-10"}


async def test_every_event_has_a_lane_so_that_one_deals_events_keep_their_order(door: Api) -> None:
    await deliver(door, "hubspot", [samples.hubspot(5), samples.hubspot(5, propertyValue="x"), samples.hubspot(6)])
    lanes = sorted(row.lane for row in await stored(door))
    assert lanes == ["hubspot:62515:5", "hubspot:62515:5", "hubspot:62515:6"]
    assert all(len(row.id) < 200 and "/" not in row.id for row in await stored(door))
    assert json.loads((await stored(door))[0].raw)["portalId"] == 62515


def test_every_system_has_a_secret_setting() -> None:
    assert {f"{system.value}_secret" for system in System} == set(samples.SECRETS)
