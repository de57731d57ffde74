"""A CRM that refuses what a recipient gave: the invoice waits for a person, and his word ends it."""

from typing import Any

import pytest

from connectors.builtin_crm import BuiltinCrm
from connectors.http import CallFailed
from tests.stack import Stack


@pytest.fixture
def crm_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise CallFailed("PATCH /customers/acme", status=422, field="po_number", excerpt="too long")

    monkeypatch.setattr(BuiltinCrm, "update_customer", refuse)


async def _parked(stack: Stack) -> str:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await stack.recipient(key, "amend", po_number="PO-77")
    parked = await stack.until(key, "needs_attention")
    assert parked["failed_step"] == "sync_fields"
    return key


@pytest.mark.usefixtures("crm_refuses")
async def test_an_abandoned_invoice_ends_and_says_what_the_crm_was_not_told(stack: Stack) -> None:
    key = await _parked(stack)
    answer = await stack.api.post(f"/invoices/{key}/retry", json={"reason": "not worth it", "abandon": True})
    assert answer.is_success, answer.text
    await stack.until(key, "cancelled")
    await stack.client.get_workflow_handle(key).result()
    told = [entry["text"] for entry in (await stack.invoice(key))["timeline"] if entry["kind"] == "failed"]
    assert "the invoice has ended" in told[-1]


@pytest.mark.usefixtures("crm_refuses")
async def test_a_cancel_ends_it_too(stack: Stack) -> None:
    key = await _parked(stack)
    answer = await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "not worth it"})
    assert answer.is_success, answer.text
    await stack.until(key, "cancelled")
    await stack.client.get_workflow_handle(key).result()


async def test_it_goes_on_once_the_crm_takes_it(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:

        async def refuse(*_: Any, **__: Any) -> None:
            raise CallFailed("PATCH /customers/acme", status=422)

        patched.setattr(BuiltinCrm, "update_customer", refuse)
        key = await _parked(stack)
    answer = await stack.api.post(f"/invoices/{key}/retry", json={"reason": "the field was made longer"})
    assert answer.is_success, answer.text
    await stack.until(key, "sent")
    await stack.recipient(key, "approve", version="1")
    assert (await stack.until(key, "billed"))["recipient"]["po_number"] == "PO-77"
