"""What happens over days: on the time-skipping server, so that no test waits for them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from tests.conftest import program
from tests.stack import SEARCH_ATTRIBUTES, Stack, assert_eventually, running_stack


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server")
    ) as environment:
        # The test server knows no attributes of ours, as a new cluster does not.
        wanted = {key.name: _value_type(key) for key in SEARCH_ATTRIBUTES}
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=wanted)
        )
        yield environment


@pytest.fixture
async def slow(skipping: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Stack]:
    address = skipping.client.service_client.config.target_host
    async with running_stack(address, tmp_path) as stack:
        yield stack


def _subjects(stack: Stack) -> list[str]:
    return [str(mail["subject"]) for mail in stack.mailbox.mails]


async def test_an_invoice_that_nobody_looks_at_is_followed_up_once(slow: Stack, skipping: WorkflowEnvironment) -> None:
    await slow.customer()
    key = await slow.milestone()
    await slow.until(key, "sent")
    await assert_eventually(lambda: _count(slow, 1))
    await skipping.sleep(timedelta(days=8))
    await assert_eventually(lambda: _count(slow, 2))
    await skipping.sleep(timedelta(days=30))
    await slow.recipient(key, "approve", version="1")
    await slow.until(key, "billed")
    assert [subject.split()[0] for subject in _subjects(slow)] == ["Your", "Did"]


async def test_a_viewed_invoice_is_never_followed_up(slow: Stack, skipping: WorkflowEnvironment) -> None:
    await slow.customer()
    key = await slow.milestone()
    await slow.until(key, "sent")
    await slow.recipient(key)
    await slow.until(key, "viewed")
    await skipping.sleep(timedelta(days=30))
    await slow.recipient(key, "approve", version="1")
    await slow.until(key, "billed")
    assert len(_subjects(slow)) == 1


async def test_an_approval_that_nobody_gives_expires_and_discards_the_draft(
    slow: Stack, skipping: WorkflowEnvironment
) -> None:
    """Reminder, escalation, expiry on business hours; the timeline holds all three."""
    await slow.customer()
    key = await slow.milestone(amount="30000.00")
    await slow.until(key, "awaiting_approval")
    await skipping.sleep(timedelta(days=40))
    ended = await slow.until(key, "rejected")
    kinds = [entry["kind"] for entry in ended["timeline"]]
    assert [kind for kind in kinds if kind in {"reminder", "escalation", "withdrawn"}] == [
        "reminder",
        "escalation",
        "withdrawn",
    ]
    assert all(invoice["number"] is None for invoice in (await slow.truth())["invoices"])


async def _count(stack: Stack, count: int) -> bool:
    return len(stack.mailbox.mails) >= count


def _value_type(key: SearchAttributeKey[Any]) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
