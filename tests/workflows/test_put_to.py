"""An approval is put to nobody who could not give it: he triggered it, is over his limit, or has lost his token."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from records.tokens import Scope, revoke_token
from tests.stack import Stack, assert_eventually, milestone_body, running_stack

POLICY = """
[approval]
assignee = "dana"
escalate_to = "robin"
[[approvers]]
name = "dana"
email = "dana@billhook.example"
limits = { USD = "40000.00" }
[[approvers]]
name = "robin"
email = "robin@billhook.example"
"""


@pytest.fixture
async def desk(temporal_address: str, tmp_path: Path) -> AsyncIterator[Stack]:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    async with running_stack(temporal_address, tmp_path, policy_file=file) as stack:
        await stack.token("dana", Scope.APPROVE, Scope.READ, Scope.TRIGGER)
        await stack.token("robin", Scope.APPROVE, Scope.READ, Scope.TRIGGER)
        await stack.customer()
        yield stack


async def _triggered(stack: Stack, who: str, amount: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {stack.tokens[who]}"}
    body = milestone_body(amount=amount)
    answer = await stack.api.post("/triggers/milestone", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return await stack.until(answer.json()["key"], "awaiting_approval")


def _told(view: dict[str, Any]) -> list[str]:
    return [entry["text"] for entry in view["timeline"] if entry["kind"] == "assigned"]


def _mailed(stack: Stack) -> set[str]:
    return {str(mail["to"]) for mail in stack.mailbox.mails}


async def _approved_by_robin(stack: Stack, view: dict[str, Any]) -> None:
    body = {"action": "approve", "revision": view["revision"]}
    headers = {"Authorization": f"Bearer {stack.tokens['robin']}"}
    answer = await stack.api.post(f"/invoices/{view['key']}/decision", json=body, headers=headers)
    assert answer.is_success, answer.text
    await stack.until(view["key"], "sent")


@pytest.mark.parametrize(
    ("who", "amount", "words"), [("dana", "30000.00", "dana triggered this invoice"), ("admin", "40000.01", "limit")]
)
async def test_who_may_not_approve_it_is_neither_asked_nor_mailed_and_the_timeline_says_why(
    desk: Stack, who: str, amount: str, words: str
) -> None:
    view = await _triggered(desk, who, amount)
    assert view["assignee"] == "robin"
    (told,) = _told(view)
    assert told.startswith("put to robin instead, since ")
    assert words in told

    async def robin_mailed() -> bool:
        return any("robin@billhook.example" in to for to in _mailed(desk))

    await assert_eventually(robin_mailed)
    await _approved_by_robin(desk, view)
    assert not any("dana@billhook.example" in to for to in _mailed(desk))


async def test_where_none_of_those_named_may_it_waits_for_anyone_who_may(desk: Stack) -> None:
    async with desk.database.transaction() as session:
        await revoke_token(session, "robin")
    view = await _triggered(desk, "dana", "30000.00")
    assert view["assignee"] == ""
    (told,) = _told(view)
    assert told.startswith("put to anyone who may approve instead, since ")
    assert "Waits for a person to approve" in view["waiting_for"]


async def test_whom_the_rules_name_is_asked_where_he_may_and_nothing_is_said(desk: Stack) -> None:
    view = await _triggered(desk, "admin", "30000.00")
    assert (view["assignee"], _told(view)) == ("dana", [])


async def test_explaining_a_trigger_names_whom_it_would_be_put_to_and_why(desk: Stack) -> None:
    body = {"motion": "milestone", "trigger": milestone_body(amount="40000.01")}
    found = (await desk.api.post("/policy/explain", json=body)).json()
    assert found["assignee"] == "robin"
    assert "put to robin instead, since" in found["outcome"]
