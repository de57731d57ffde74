"""What the doctor says of the systems around: a door that maps nothing, a mapping without a door, HubSpot."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from billing.mappings import HubSpotMapping
from settings import Settings
from starter.cli.checks.finding import Finding, State
from starter.cli.checks.vendors import vendors
from tests.hubspot import TOKEN, FakeHubSpot, running_hubspot

MILESTONE = '[[github.milestones]]\nrepository="a/b"\ncustomer="acme"\namount="{}"\ncurrency="USD"\n'


@pytest.fixture
async def fake() -> AsyncIterator[FakeHubSpot]:
    async with running_hubspot() as fake:
        names = HubSpotMapping()
        fake.properties = {
            "companies": set(names.company_names.values()),
            "deals": set(names.deal_names.values()),
        }
        yield fake


async def said(**settings: Any) -> dict[str, Finding]:
    return {one.item: one for one in await vendors(Settings(**settings))}


async def test_a_door_without_a_mapping_and_a_mapping_without_a_door_are_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "motions.toml"
    file.write_text(MILESTONE.format("1.00"))
    found = await said(motions_file=file, jira_secret=SecretStr("s"))
    assert "BILLHOOK_GITHUB_SECRET" in found["webhooks of github"].next_step
    assert "[[jira.versions]]" in found["webhooks of jira"].next_step
    both = await said(motions_file=file, github_secret=SecretStr("s"))
    assert both["webhooks of github"].state is State.OK


async def test_a_motions_file_that_cannot_be_used_names_the_key(tmp_path: Path) -> None:
    file = tmp_path / "motions.toml"
    file.write_text(MILESTONE.format("1.005"))
    found = (await said(motions_file=file))["motions"]
    assert found.state is State.FAILED
    assert "github.milestones.0" in found.text
    assert "1.005" in found.text


async def test_hubspot_as_the_crm_has_a_token_that_opens_and_every_property(fake: FakeHubSpot) -> None:
    given: dict[str, Any] = {"crm": "hubspot", "hubspot_url": fake.url, "hubspot_token": SecretStr(TOKEN)}
    assert (await said(**given))["hubspot"].state is State.OK
    fake.properties["companies"].discard("billhook_po_number")
    lacking = (await said(**given))["hubspot"]
    assert (lacking.state, "billhook_po_number" in lacking.text) == (State.FAILED, True)
    for wrong in ("", "nonsense"):
        refused = (await said(**given | {"hubspot_token": SecretStr(wrong)}))["hubspot"]
        assert (refused.state, "BILLHOOK_HUBSPOT_TOKEN" in refused.next_step) == (State.FAILED, True)
        assert TOKEN not in refused.text
