"""A change request is a ticket: its owner is told, reminded at half of the time, warned, and a breach is escalated; two
on one invoice have times of their own, and the recipient's approval withdraws what is left open."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio.testing import WorkflowEnvironment

from billing.deadlines import Calendar, add_business_time
from tests.skipping import skipping_stack
from tests.stack import Stack, assert_eventually

POLICY = """
[cases]
owner = "dana"
escalate_to = "robin"
deadline_hours = 16
warn_before_hours = 2
[[approvers]]
name = "dana"
email = "dana@billhook.example"
[[approvers]]
name = "robin"
email = "robin@billhook.example"
[business_hours]
zone = "Europe/Berlin"
"""
APART: Final = timedelta(hours=1)
# Not milliseconds: the time-skipping server strands a run that cancels a timer in the moment in which it fires
# (temporalio/sdk-java#2606), as the times of one case come while the mail of the other leaves.


@pytest.fixture
async def asked(skipping: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[tuple[Stack, str]]:
    """An invoice whose recipient has asked for two changes."""
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    async with skipping_stack(skipping, tmp_path, policy_file=file) as stack:
        await stack.approvers("dana", "robin")
        await stack.customer()
        key = await stack.milestone()
        await stack.until(key, "sent")
        await _ask(stack, key, "cheaper, please", 1)
        await skipping.sleep(APART)
        now = await skipping.get_current_time()
        await stack.jupiter.put("/_sandbox/clock", json={"now": now.isoformat()})
        await _ask(stack, key, "and later, please", 2)
        yield stack, key


async def _ask(stack: Stack, key: str, message: str, count: int) -> None:
    assert (await stack.recipient(key, "change-request", message=message)).is_success
    await assert_eventually(lambda: _cases(stack, key, count))


async def _cases(stack: Stack, key: str, count: int) -> Any:
    found = (await stack.invoice(key))["cases"]
    return found if len(found) == count else None


def _to(stack: Stack, address: str) -> list[str]:
    return [str(mail["subject"]) for mail in stack.mailbox.mails if address in str(mail["to"])]


async def test_every_case_has_its_times_and_each_is_told_reminded_warned_and_escalated_once(
    asked: tuple[Stack, str], skipping: WorkflowEnvironment
) -> None:
    stack, key = asked
    await skipping.sleep(timedelta(days=30))

    async def breached() -> Any:
        found = await stack.invoice(key)
        return found if all(case["breached_at"] for case in found["cases"]) else None

    view = await assert_eventually(breached)
    calendar = Calendar(zone="Europe/Berlin")
    for case in view["cases"]:
        opened = datetime.fromisoformat(case["opened_at"])
        for name, hours in (("remind_at", 8), ("warn_at", 14), ("deadline", 16)):
            assert datetime.fromisoformat(case[name]) == add_business_time(opened, timedelta(hours=hours), calendar)
        assert (case["status"], case["owner"], case["breached_at"]) == ("open", "dana", case["deadline"])
    assert len(_to(stack, "dana@billhook.example")) == 6
    assert len(_to(stack, "robin@billhook.example")) == 2
    kinds = [entry["kind"] for entry in view["timeline"]]
    assert [kinds.count(kind) for kind in ("case", "reminder", "warning", "breach")] == [2, 2, 2, 2]


async def test_one_is_declined_by_signal_and_the_other_withdrawn_by_the_approval(asked: tuple[Stack, str]) -> None:
    stack, key = asked
    first, second = (case["id"] for case in (await stack.invoice(key))["cases"])
    body = {"actor": "dana", "case_id": first, "note": "the price stands"}
    await stack.client.get_workflow_handle(key).signal("decline_change_request", body)

    async def declined() -> Any:
        found = {case["id"]: case for case in (await stack.invoice(key))["cases"]}
        return found if found[first]["status"] == "declined" else None

    cases = await assert_eventually(declined)
    assert cases[first]["resolved_by"] == "dana"
    assert cases[first]["first_response_at"]
    assert cases[second]["status"] == "open"
    assert (await stack.recipient(key, "approve", version="1")).is_success
    ended = {case["id"]: case for case in (await stack.until(key, "billed"))["cases"]}
    assert (ended[second]["status"], ended[second]["resolved_by"]) == ("withdrawn", "recipient")
