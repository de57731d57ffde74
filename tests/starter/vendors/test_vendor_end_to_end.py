"""From a vendor's webhook to an invoice that its recipient has, over the whole stack; and back to HubSpot."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.hubspot import TOKEN, FakeHubSpot
from tests.stack import Stack, assert_eventually, running_stack
from tests.starter.vendors import samples
from tests.starter.vendors.conftest import vendor_settings
from tests.starter.vendors.samples import as_bytes


@pytest.fixture
async def stack(temporal_address: str, tmp_path: Path, hubspot_api: FakeHubSpot) -> AsyncIterator[Stack]:
    given = vendor_settings(tmp_path, hubspot_url=hubspot_api.url, crm="hubspot", hubspot_token=SecretStr(TOKEN))
    # The public URL is the stack's own, since a port has to be found first.
    given.pop("public_url")
    async with running_stack(temporal_address, tmp_path, **given) as running:
        await running.customer("acme", crm_ref="77")
        yield running


async def post(stack: Stack, system: str, body: Any, headers: dict[str, str]) -> None:
    answer = await stack.api.post(
        f"/webhooks/{system}", content=as_bytes(body), headers={"Authorization": "", **headers}
    )
    assert answer.status_code == 202, answer.text


async def sent(stack: Stack, key: str) -> dict[str, Any]:
    """The invoice once it was sent; at first nobody knows its key yet."""

    async def known() -> bool:
        return (await stack.api.get(f"/invoices/{key}")).status_code == 200

    await assert_eventually(known)
    return await stack.until(key, "sent")


async def test_a_closed_github_milestone_is_an_invoice_that_was_sent(stack: Stack) -> None:
    body = samples.github()
    for _ in range(2):
        await post(stack, "github", body, samples.github_signed(as_bytes(body)))
    invoice = await sent(stack, "invoice:acme.website:3")
    assert (invoice["total"], invoice["motion"]) == ("12500.00", "milestone")
    assert invoice["timeline"]
    assert len((await stack.api.get("/invoices")).json()["data"]) == 1


async def test_a_won_hubspot_deal_is_billed_and_hubspot_is_told(stack: Stack, hubspot_api: FakeHubSpot) -> None:
    hubspot_api.deal("5", items=[{"name": "Seats", "quantity": "17", "price": "30.00", "amount": "510.00"}])
    body = [samples.hubspot(5), samples.hubspot(5, occurredAt=samples.now_ms() - 5000, propertyValue="closedwon")]
    url = f"{stack.settings.public_url}/webhooks/hubspot"
    await post(stack, "hubspot", body, samples.hubspot_signed(as_bytes(body), url=url))
    key = "invoice:deal_5"
    await sent(stack, key)
    await stack.recipient(key)
    await stack.recipient(key, "amend", po_number="PO-88", billing_entity="Acme Holding")
    hubspot_api.refusals = [(429, {"Retry-After": "1"})]
    await stack.recipient(key, "approve", version="1")
    await stack.until(key, "billed")
    company, deal = hubspot_api.records["companies"]["77"], hubspot_api.records["deals"]["5"]
    assert (company["billhook_po_number"], company["billhook_billing_entity"]) == ("PO-88", "Acme Holding")
    assert (deal["billhook_billed"], deal["billhook_total"], deal["billhook_invoices"]) == ("true", "510.00 USD", key)


async def test_the_audit_holds_with_events_of_other_systems_in_the_records(stack: Stack) -> None:
    from audit.auditor import audit  # noqa: PLC0415
    from audit.sources import Sources  # noqa: PLC0415

    numbered = samples.github(milestone={"number": 4})
    # Temporal is shared by all tests: another test's invoice has number 3.
    for event in (numbered, samples.github(action="opened"), samples.github(milestone={"number": "x"})):
        await post(stack, "github", event, samples.github_signed(as_bytes(event)))
    await sent(stack, "invoice:acme.website:4")

    async def settled() -> bool:
        return not (await stack.api.get("/events?fate=pending")).json()["data"]

    await assert_eventually(settled)
    report = await audit(Sources(database=stack.database))
    assert not report.violations, report
