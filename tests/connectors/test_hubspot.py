"""HubSpot behind the Crm port, against a server on loopback: what it holds afterwards, what is asked of it again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.classify import classify
from billing.errors import BadInput
from billing.mappings import HubSpotMapping
from billing.money import Money
from connectors.http import BadAnswer, CallFailed, build_client
from connectors.hubspot import HubSpot
from connectors.hubspot_crm import HubSpotCrm
from records.customers import CustomerBody, put_customer
from records.session import Database
from tests.fresh import bring_up
from tests.hubspot import TOKEN, FakeHubSpot, running_hubspot

ADDRESS = {"line1": "Hauptstr. 1", "line2": "", "postal_code": "10115", "city": "Berlin", "country": "DE"}


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeHubSpot]:
    async with running_hubspot() as fake:
        fake.deal("5")
        yield fake


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'b.db'}")
    await bring_up(database)
    async with database.transaction() as session:
        given = {"name": "Acme", "email": "ap@acme.example", "currency": "USD"}
        await put_customer(session, "acme", CustomerBody(**given, crm_ref="77"))
        await put_customer(session, "globex", CustomerBody(**given))
    yield database
    await database.close()


@pytest_asyncio.fixture
async def hubspot(fake: FakeHubSpot) -> AsyncIterator[HubSpot]:
    async with build_client([fake.url]) as client:
        yield HubSpot(client, fake.url, SecretStr(TOKEN))


def crm(hubspot: HubSpot, database: Database, **mapping: object) -> HubSpotCrm:
    return HubSpotCrm(hubspot, HubSpotMapping.model_validate(mapping), database)


async def test_what_a_recipient_gave_is_in_the_companys_properties_and_a_repeat_changes_nothing(
    hubspot: HubSpot, database: Database, fake: FakeHubSpot
) -> None:
    fields = {"po_number": "PO-7", "address": ADDRESS, "tax_id": None}
    for _ in range(2):
        await crm(hubspot, database).update_customer("acme", fields, step_key="k:sync-1")
    assert fake.records["companies"]["77"] == {
        "name": "Acme",
        "billhook_po_number": "PO-7",
        "billhook_address": "Hauptstr. 1\n10115\nBerlin\nDE",
        "billhook_tax_id": "",
    }


async def test_property_names_are_configured_and_one_without_a_name_is_not_written(
    hubspot: HubSpot, database: Database, fake: FakeHubSpot
) -> None:
    names = {"po_number": "purchase_order", "tax_id": ""}
    named = crm(hubspot, database, company_properties=names, customers={"77": "globex"})
    await named.update_customer("globex", {"po_number": "PO-8", "tax_id": "DE1"}, step_key="k")
    assert fake.records["companies"]["77"] == {"name": "Acme", "purchase_order": "PO-8"}
    fake.calls.clear()
    await named.update_customer("globex", {"tax_id": "DE1"}, step_key="k")
    assert fake.calls == []


async def test_a_customer_whose_company_nobody_names_is_refused_with_what_to_do(
    hubspot: HubSpot, database: Database
) -> None:
    with pytest.raises(BadInput, match="globex") as refused:
        await crm(hubspot, database).update_customer("globex", {"po_number": "1"}, step_key="k")
    assert "PUT /customers/globex" in refused.value.next_step


async def test_a_deal_billed_in_parts_says_all_of_them_whatever_is_repeated_or_at_once(
    hubspot: HubSpot, database: Database, fake: FakeHubSpot
) -> None:
    first, second = Money(minor=125000, currency="USD"), Money(minor=5, currency="JPY")
    port = crm(hubspot, database)
    await port.mark_billed("5", "acme", "invoice:a:1", first, step_key="a")
    bill = [("invoice:a:1", first), ("invoice:b:1", second), ("invoice:c:1", first), ("invoice:a:1", first)]
    await asyncio.gather(*(port.mark_billed("5", "acme", key, total, step_key=key) for key, total in bill))
    deal = fake.records["deals"]["5"]
    assert deal["billhook_billed"] == "true"
    assert deal["billhook_total"] == "5 JPY, 2500.00 USD"
    assert deal["billhook_invoices"] == "invoice:a:1\ninvoice:b:1\ninvoice:c:1"
    assert deal["dealname"] == "Relaunch"


async def test_a_rate_limit_is_retried_when_hubspot_says_and_a_refusal_never(
    hubspot: HubSpot, database: Database, fake: FakeHubSpot
) -> None:
    fake.refusals = [(429, {"Retry-After": "7"}), (400, {})]
    for retryable, delay in ((True, timedelta(seconds=7)), (False, None)):
        with pytest.raises(CallFailed) as failed:
            await crm(hubspot, database).update_customer("acme", {"po_number": "1"}, step_key="k")
        seen = classify(failed.value)
        assert (not seen.non_retryable, seen.next_retry_delay) == (retryable, delay)  # type: ignore[attr-defined]


async def test_a_record_that_a_batch_does_not_answer_is_a_bad_answer(hubspot: HubSpot) -> None:
    with pytest.raises(BadAnswer, match="2 of 2 are missing"):
        await hubspot.records("line_items", ["1", "2"], ["name"])


def test_without_a_token_it_does_not_begin() -> None:
    with pytest.raises(BadInput, match="hubspot_token"):
        HubSpot(build_client([]), "https://x.example", SecretStr(""))
