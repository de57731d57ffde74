"""The list of what waits for a person, over HTTP: an invoice appears in it, and goes when it is decided."""

from datetime import datetime
from typing import Any

from tests.audit import paths
from tests.stack import Stack


async def _inbox(stack: Stack, **asked: Any) -> list[dict[str, Any]]:
    answer = await stack.api.get("/inbox", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_an_invoice_waits_in_the_inbox_with_the_reason_until_it_is_decided(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone(amount="30000.00")
    invoice = await stack.until(key, "awaiting_approval")
    (item,) = await _inbox(stack, kind="approval", q="acme")
    assert (item["key"], item["total"], item["total_minor"], item["currency"]) == (key, "30000.00", 3000000, "USD")
    assert (item["revision"], item["customer_name"]) == (invoice["revision"], "Acme GmbH")
    assert "over" in item["reason"]
    assert datetime.fromisoformat(item["since"]).tzinfo is not None
    assert await _inbox(stack, kind="case") == []
    await paths.decide(stack, key, "reject")
    await stack.until(key, "rejected")
    assert await _inbox(stack) == []


async def test_what_the_inbox_cannot_be_asked_is_refused_by_name(stack: Stack) -> None:
    for asked, field in ({"kind": "mail"}, "kind"), ({"q": "x" * 101}, "q"), ({"cursor": "?"}, "cursor"):
        answer = await stack.api.get("/inbox", params=asked)
        assert answer.status_code == 422, answer.text
        assert field in answer.text
