"""A person's wishes over HTTP, on the whole stack: the workflow's refusals come back as problems in its own words."""

from typing import Any

from billing.decisions import PUT_TO_ANOTHER, SOMEBODY_ELSE
from records.tokens import Scope
from tests.stack import Stack


async def _waiting(stack: Stack) -> dict[str, Any]:
    await stack.customer()
    key = await stack.milestone(amount="30000.00")
    return await stack.until(key, "awaiting_approval")


async def _decide(stack: Stack, key: str, **body: Any) -> Any:
    headers = await stack.token("dana", Scope.APPROVE)
    return await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)


async def test_a_stale_decision_is_refused_naming_the_present_revision(stack: Stack) -> None:
    invoice = await _waiting(stack)
    answer = await _decide(stack, invoice["key"], action="approve", revision="0123456789abcdef")
    assert answer.status_code == 409, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:billhook:stale-revision"
    assert invoice["revision"] in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "revision"
    assert (await stack.invoice(invoice["key"]))["status"] == "awaiting_approval"


async def test_the_approver_on_record_is_the_tokens_name(stack: Stack) -> None:
    invoice = await _waiting(stack)
    answer = await _decide(stack, invoice["key"], action="approve", revision=invoice["revision"], note="agreed")
    assert answer.status_code == 200, answer.text
    sent = await stack.until(invoice["key"], "sent")
    assert [(each["action"], each["actor"]) for each in sent["decisions"]] == [("approve", "dana")]


async def test_an_edit_with_too_many_decimals_is_a_422_that_names_the_line(stack: Stack) -> None:
    invoice = await _waiting(stack)
    patch = {"line_items": [{"description": "Less", "unit_price": "1.005"}]}
    answer = await _decide(stack, invoice["key"], action="approve", revision=invoice["revision"], patch=patch)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "line_items.0.unit_price")


async def test_a_rejection_without_a_reason_is_a_422_that_names_the_note(stack: Stack) -> None:
    invoice = await _waiting(stack)
    answer = await _decide(stack, invoice["key"], action="reject", revision=invoice["revision"])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "note")


async def test_a_retry_of_an_invoice_that_is_not_parked_is_a_409_that_says_what_is_open(stack: Stack) -> None:
    invoice = await _waiting(stack)
    answer = await stack.api.post(f"/invoices/{invoice['key']}/retry", json={})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:billhook:not-possible")
    assert "approve" in answer.json()["detail"]
    assert answer.json()["next_step"].startswith("read the invoice again; open now: approve")


async def test_who_may_not_decide_is_told_who_could(stack: Stack) -> None:
    invoice = await _waiting(stack)
    said = {"action": "approve", "revision": invoice["revision"]}
    own = await stack.api.post(f"/invoices/{invoice['key']}/decision", json=said)
    assert (own.status_code, own.json()["next_step"]) == (403, SOMEBODY_ELSE)
    assert "nobody approves what he triggered" in own.json()["detail"]
    handed = await stack.api.post(f"/invoices/{invoice['key']}/delegate", json={"to": "nobody"})
    assert (handed.status_code, handed.json()["next_step"]) == (403, PUT_TO_ANOTHER)
    assert "'nobody' is no approver" in handed.json()["detail"]


async def test_a_rejected_invoice_takes_no_further_decision(stack: Stack) -> None:
    invoice = await _waiting(stack)
    await _decide(stack, invoice["key"], action="reject", revision=invoice["revision"], note="not agreed")
    await stack.until(invoice["key"], "rejected")
    answer = await _decide(stack, invoice["key"], action="approve", revision=invoice["revision"])
    assert answer.status_code == 409
    assert "rejected" in answer.json()["detail"]
    assert answer.json()["next_step"] == "read the invoice again"
    listed = (await stack.api.get("/approvals")).json()["data"]
    assert listed == []
