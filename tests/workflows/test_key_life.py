"""Workflows outlive Idempotency-Keys: what a step is repeated with after a day was forgotten by the provider.

Each test commits a write whose answer is lost, lets a day pass on both clocks so that its key is dead, and then lets
the API be heard again.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowUpdateStage
from temporalio.testing import WorkflowEnvironment

from billing.decisions import Action, DecideChange
from records.tokens import Scope
from tests.stack import Stack, assert_eventually

A_DAY = timedelta(hours=25)


async def _unheard_for_a_day(stack: Stack, skipping: WorkflowEnvironment) -> None:
    await skipping.sleep(A_DAY)
    await stack.jupiter.put("/_sandbox/clock", json={"now": (datetime.now(UTC) + A_DAY).isoformat()})
    await stack.faults()


async def _invoices(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await stack.truth())["invoices"]
    return found


async def _made(stack: Stack, **wanted: Any) -> bool:
    return any(wanted.items() <= invoice.items() for invoice in await _invoices(stack))


async def test_a_draft_is_looked_for_before_it_is_made_with_a_dead_key(
    slow: Stack, skipping: WorkflowEnvironment
) -> None:
    await slow.customer()
    await slow.faults(drop_after_rate=1)
    key = await slow.milestone()
    await assert_eventually(lambda: _made(slow, status="draft"))
    await _unheard_for_a_day(slow, skipping)
    await slow.until(key, "sent")
    assert [invoice["reference"] for invoice in await _invoices(slow)] == [key]


async def test_an_answer_to_a_change_request_that_was_given_with_a_dead_key_stands(
    slow: Stack, skipping: WorkflowEnvironment
) -> None:
    await slow.customer()
    await slow.token("dana", Scope.APPROVE)
    key = await slow.milestone()
    await slow.until(key, "sent")
    await slow.recipient(key, "change-request", message="Two thirds, please")
    case = (await slow.until(key, "change_requested"))["cases"][0]["id"]
    await slow.faults(drop_after_rate=1)
    wish = DecideChange(action=Action.DECLINE_CHANGE, case_id=case, actor="dana", note="The price was agreed")
    asked = await slow.client.get_workflow_handle(key).start_update(
        "decide_change_request", wish, wait_for_stage=WorkflowUpdateStage.ACCEPTED
    )
    await assert_eventually(lambda: _made(slow, status="sent"))
    await _unheard_for_a_day(slow, skipping)
    await asked.result()
    found = await slow.until(key, "sent", "viewed")
    assert (found["cases"][0]["status"], found["failed_step"]) == ("declined", None)
