"""Customers and subscriptions from the terminal: put whole, shown, listed, and refused by field."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from records.tokens import Scope
from starter.cli.exits import Exit
from tests import commands
from tests.stack import running_stack
from tests.starter.conftest import CUSTOMER

PLAN = {
    "customer_id": "acme",
    "billing_group": "europe",
    "currency": "USD",
    "started_on": "2026-10-01",
    "charges": [{"meter": "calls", "model": "per_unit", "unit_price": "0.02", "included": "1000"}],
}


@pytest.fixture
def motions(tmp_path: Path) -> Path:
    file = tmp_path / "motions.toml"
    file.write_text('[[billing_groups]]\nname = "europe"\nzone = "Europe/Berlin"\n')
    return file


async def test_a_customer_and_a_subscription_are_put_shown_and_listed_by_commands_alone(
    temporal_address: str, tmp_path: Path, motions: Path
) -> None:
    async with running_stack(temporal_address, tmp_path, motions_file=motions) as stack:
        headers = await stack.token("erp", Scope.TRIGGER, Scope.READ)
        env = os.environ | {
            "BILLHOOK_API_URL": str(stack.api.base_url),
            "BILLHOOK_TOKEN": headers["Authorization"].removeprefix("Bearer "),
        }

        async def billhook(*words: str, body: dict[str, Any] | None = None) -> tuple[int, str, str]:
            file = tmp_path / "body.json"
            file.write_text(json.dumps(body))
            return await commands.answer(*words, *([str(file)] if body else []), env=env)

        nobody = await billhook("subscription", "put", "sub_1", body=PLAN | {"customer_id": "zeno"})
        assert (nobody[0], "billhook customer put zeno FILE" in nobody[2]) == (Exit.REFUSED, True), nobody
        assert await billhook("customer", "put", "acme", body=CUSTOMER) == (Exit.OK, "acme\n", "")
        assert "ap@acme.example" in (await billhook("customer", "show", "acme"))[1]
        assert (await billhook("customer", "show", "zeno"))[0] == Exit.NOT_FOUND
        assert await billhook("subscription", "put", "sub_1", body=PLAN) == (Exit.OK, "sub_1\n", "")
        shown = await billhook("subscription", "show", "sub_1")
        assert "charge        meter calls, model per_unit, unit_price 0.02" in shown[1], shown
        listed = await billhook("subscription", "list", "--json")
        assert [one["id"] for one in json.loads(listed[1])] == ["sub_1"]
