"""Each write at the invoicing API, taken a second time when its Idempotency-Key is dead: the API is as after the first.

The sandbox forgets every key at once (`idempotency_ttl_s=0`), which is what a day does to a real one.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities import signatures as step
from activities.invoicing import InvoicingActivities
from billing.intent import Commercial, Line
from billing.ownership import Carry
from connectors.http import build_client
from connectors.jupiter import Jupiter
from records import customers
from records.session import Database
from sandbox.config import SandboxConfig
from sandbox.server import bind, build_server
from tests.fresh import bring_up

KEY = "invoice:project_1:milestone_1"
CUSTOMER = customers.CustomerBody(name="Acme", email="ap@acme.example", segment="standard", currency="USD")


def over(amount: str) -> Commercial:
    line = Line(description="Work", quantity=Decimal(1), unit_price=Decimal(amount))
    return Commercial(currency="USD", lines=(line,))


class Desk:
    """The activities over a sandbox that forgets keys, and a look at its truth."""

    def __init__(self, activities: InvoicingActivities, http: httpx.AsyncClient) -> None:
        self.activities = activities
        self.http = http

    async def take(self, name: str, request: step.Request) -> Any:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, started_time=datetime.now(UTC))
        return await environment.run(getattr(self.activities, name), request)

    async def twice(self, name: str, request: step.Request) -> Any:
        first = await self.take(name, request)
        assert await self.take(name, request) == first
        return first

    async def draft(self, began_at: datetime | None = None, times: int = 1) -> str:
        request = step.CreateDraft(
            key=KEY,
            customer_id="acme",
            scope="project_1",
            commercial=over("30"),
            began_at=began_at or datetime.now(UTC),
        )
        made = [await self.take("create_draft", request) for _ in range(times)]
        return str(made[0].external_id)

    async def sent(self) -> str:
        draft = await self.draft()
        await self.take("issue", step.Issue(key=KEY, external_id=draft, commercial=over("30")))
        return draft

    async def the_invoice(self) -> dict[str, Any]:
        [found] = (await self.http.get("/_sandbox/audit")).json()["invoices"]
        assert isinstance(found, dict)
        return found

    async def recipient_asks(self) -> str:
        listed = (await self.http.get("/api/v1/invoices")).json()["data"]
        form = await self.http.post(
            f"/i/{listed[0]['share_token']}/change-request",
            data={"message": "less"},
            headers={"Accept": "application/json"},
        )
        return str(form.json()["change_requests"][0]["id"])


@pytest.fixture
def key_life() -> int:
    """Seconds. A test that is about living keys overrides it."""
    return 0


@pytest.fixture
async def desk(tmp_path: Path, key_life: int) -> AsyncIterator[Desk]:
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = SandboxConfig(database=tmp_path / "s.db", api_key="jk_test", public_url=url, idempotency_ttl_s=key_life)
    server = build_server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'b.db'}")
    await bring_up(database)
    async with database.transaction() as session:
        await customers.put_customer(session, "acme", CUSTOMER)
    async with (
        build_client([url]) as client,
        httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer jk_test"}) as http,
    ):
        invoicing = Jupiter(client, url, SecretStr("jk_test"))
        yield Desk(InvoicingActivities(invoicing, database, carry=Carry.CUSTOMER, send_by_api=False), http)
    await database.close()
    server.should_exit = True
    await serving
    listener.close()


async def test_a_create_of_yesterday_finds_its_draft(desk: Desk) -> None:
    await desk.draft(began_at=datetime.now(UTC) - timedelta(hours=25), times=2)
    assert (await desk.the_invoice())["reference"] == KEY


@pytest.mark.parametrize(
    ("key_life", "earlier"), [(86_400, timedelta()), (0, timedelta(hours=25))], ids=["a living key", "a dead key"]
)
async def test_a_create_that_was_edited_after_a_try_unheard_leaves_what_the_edit_says(
    desk: Desk, earlier: timedelta
) -> None:
    began_at = datetime.now(UTC) - earlier
    first = step.CreateDraft(key=KEY, customer_id="acme", scope="project_1", commercial=over("30"), began_at=began_at)
    made = await desk.take("create_draft", first)
    line = Line(description="Work, as agreed", quantity=Decimal(2), unit_price=Decimal(20))
    edited = first.model_copy(update={"commercial": Commercial(currency="USD", lines=(line,))})
    assert (await desk.take("create_draft", edited)).external_id == made.external_id
    found = (await desk.http.get(f"/api/v1/invoices/{made.external_id}")).json()
    assert [(line["description"], line["quantity"]) for line in found["line_items"]] == [("Work, as agreed", 2)]
    assert (await desk.the_invoice())["total_cents"] == 4000


async def test_an_issue_repeated_assigns_one_number(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.twice("issue", step.Issue(key=KEY, external_id=draft, commercial=over("30")))
    found = await desk.the_invoice()
    assert (found["version"], len(found["versions"])) == (1, 1)


async def test_a_patch_repeated_leaves_what_the_first_left(desk: Desk) -> None:
    request = step.PatchDraft(
        key=KEY,
        external_id=await desk.draft(),
        customer_id="acme",
        scope="project_1",
        commercial=over("20"),
        revision="r",
    )
    await desk.twice("patch_draft", request)
    assert (await desk.the_invoice())["total_cents"] == 2000


@pytest.mark.parametrize("asked", [True, False])
async def test_a_revision_repeated_makes_one_version(desk: Desk, asked: bool) -> None:
    sent = await desk.sent()
    case = await desk.recipient_asks() if asked else None
    request = step.Revise(key=KEY, external_id=sent, version=2, commercial=over("20"), change_request_id=case)
    assert (await desk.twice("revise", request)).version == 2
    found = await desk.the_invoice()
    assert (found["version"], len(found["versions"]), found["total_cents"]) == (2, 2, 2000)


async def test_a_decline_repeated_is_one_answer(desk: Desk) -> None:
    sent = await desk.sent()
    case = await desk.recipient_asks()
    request = step.DeclineChange(key=KEY, external_id=sent, change_request_id=case, message="no")
    await desk.twice("decline_change", request)
    found = await desk.the_invoice()
    assert (found["status"], found["change_requests"][0]["status"]) == ("sent", "declined")


@pytest.mark.parametrize("issued", [True, False])
async def test_a_withdrawal_repeated_withdraws_once(desk: Desk, issued: bool) -> None:
    made = await (desk.sent() if issued else desk.draft())
    request = step.Withdraw(key=KEY, external_id=made, reason="mistake")
    for _ in range(2):
        assert not (await desk.take("withdraw", request)).refused
    left = (await desk.http.get("/_sandbox/audit")).json()["invoices"]
    assert [each["status"] for each in left] == (["voided"] if issued else [])


@pytest.mark.parametrize("key_life", [86_400])
async def test_an_edit_back_to_an_earlier_content_is_no_repeat_of_it(desk: Desk) -> None:
    """Its key must be another: the provider would answer what it answered then, and keep what came between."""
    draft = await desk.draft()
    for earlier, amount in enumerate(("20", "25", "20")):
        request = step.PatchDraft(
            key=KEY,
            external_id=draft,
            customer_id="acme",
            scope="project_1",
            commercial=over(amount),
            revision=f"revision of {amount}",
            earlier=earlier,
        )
        await desk.twice("patch_draft", request)
    assert (await desk.the_invoice())["total_cents"] == 2000
