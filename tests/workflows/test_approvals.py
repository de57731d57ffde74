"""People decide: two over the second limit, another in one's place, one of two at the same moment, nobody without the
right; by every way in, the Temporal signal included."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from records.tokens import Scope
from tests.stack import Stack, assert_eventually, running_stack

POLICY = """
[thresholds]
default = "25000.00"
[second_limits]
default = "100000.00"
[approval]
assignee = "dana"
[[approvers]]
name = "dana"
email = "dana@billhook.example"
[[approvers]]
name = "robin"
email = "robin@billhook.example"
[[approvers]]
name = "kim"
limits = { USD = "30000.00" }
"""


@pytest.fixture
async def desk(temporal_address: str, tmp_path: Path) -> AsyncIterator[Stack]:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    async with running_stack(temporal_address, tmp_path, policy_file=file) as stack:
        await stack.approvers("dana", "robin", "kim")
        await stack.customer()
        yield stack


async def _waiting(stack: Stack, amount: str) -> dict[str, Any]:
    key = await stack.milestone(amount=amount)
    return await stack.until(key, "awaiting_approval")


async def _post(stack: Stack, who: str, key: str, call: str, **body: Any) -> Any:
    headers = await stack.token(who, Scope.APPROVE, Scope.READ)
    return await stack.api.post(f"/invoices/{key}/{call}", json=body, headers=headers)


async def _approve(stack: Stack, who: str, view: dict[str, Any], **more: Any) -> Any:
    return await _post(stack, who, view["key"], "decision", action="approve", revision=view["revision"], **more)


async def test_over_the_second_limit_two_different_people_must_say_yes(desk: Stack) -> None:
    view = await _waiting(desk, "100000.01")
    first = await _approve(desk, "dana", view)
    assert first.is_success, first.text
    assert "second person" in first.json()["note"]
    again = await _approve(desk, "dana", view)
    assert (again.status_code, "second person" in again.text) == (403, True)
    waits = await desk.invoice(view["key"])
    assert (waits["status"], waits["approved_by"]) == ("awaiting_approval", ["dana"])
    assert (await _approve(desk, "robin", view)).is_success
    sent = await desk.until(view["key"], "sent")
    assert sorted(one["actor"] for one in sent["decisions"]) == ["dana", "robin"]


async def test_an_edit_begins_the_count_anew_with_the_editor_s_own_yes(desk: Stack) -> None:
    view = await _waiting(desk, "100000.01")
    assert (await _approve(desk, "dana", view)).is_success
    patch = {"line_items": [{"description": "Design", "unit_price": "100000.02"}]}
    edited = await _approve(desk, "robin", view, patch=patch)
    assert edited.is_success, edited.text
    assert "the edit made revision" in edited.json()["note"]

    async def anew() -> Any:
        found = await desk.invoice(view["key"])
        is_anew = found["revision"] != view["revision"] and found["status"] == "awaiting_approval"
        return found if is_anew and found["approved_by"] == ["robin"] else None

    again = await assert_eventually(anew)
    assert (await _approve(desk, "dana", again)).is_success
    assert (await desk.until(view["key"], "sent"))["total"] == "100000.02"


async def test_of_two_answers_in_the_same_moment_one_wins_and_the_other_is_told(desk: Stack) -> None:
    view = await _waiting(desk, "25000.01")
    answers = await asyncio.gather(_approve(desk, "dana", view), _approve(desk, "robin", view))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert loser.json()["detail"]
    sent = await desk.until(view["key"], "sent")
    assert len([one for one in sent["decisions"] if one["action"] == "approve"]) == 1


async def test_who_heard_no_answer_asks_again_under_the_same_key_and_is_answered_as_the_first_time(desk: Stack) -> None:
    view = await _waiting(desk, "25000.01")
    dana = await desk.token("dana", Scope.APPROVE, Scope.READ)
    robin = await desk.token("robin", Scope.APPROVE, Scope.READ)
    once = {"Idempotency-Key": "dana-1"}

    async def posted(who: dict[str, str], call: str, **body: Any) -> Any:
        return await desk.api.post(f"/invoices/{view['key']}/{call}", json=body, headers=who | once)

    approval = {"action": "approve", "revision": view["revision"]}
    first = await posted(dana, "decision", **approval)
    assert first.is_success, first.text
    await desk.until(view["key"], "sent")
    # The invoice is past it, which another person, or the same one with another wish, is told.
    assert (await posted(dana, "decision", **approval)).json() == first.json()
    assert (await posted(robin, "decision", **approval)).status_code == 409
    assert (await posted(dana, "decision", **approval, note="and more")).status_code == 409
    ended = await posted(dana, "cancel", reason="wrong project")
    await desk.until(view["key"], "cancelled")
    assert (await posted(dana, "cancel", reason="wrong project")).json() == ended.json()
    decisions = [one["action"] for one in (await desk.invoice(view["key"]))["decisions"]]
    assert decisions == ["approve", "cancel"]


async def test_an_approval_is_put_to_another_who_is_mailed_and_may_then_decide(desk: Stack) -> None:
    view = await _waiting(desk, "25000.01")
    assert view["assignee"] == "dana"
    answer = await _post(desk, "dana", view["key"], "delegate", to="robin", note="on leave")
    assert answer.is_success, answer.text
    assert (await desk.invoice(view["key"]))["assignee"] == "robin"
    await assert_eventually(lambda: _mailed(desk, "robin@billhook.example"))
    assert (await _approve(desk, "robin", view)).is_success
    await desk.until(view["key"], "sent")


async def _mailed(stack: Stack, address: str) -> bool:
    return any(address in str(mail["to"]) for mail in stack.mailbox.mails)


async def test_it_is_put_to_nobody_who_could_not_decide(desk: Stack) -> None:
    view = await _waiting(desk, "30000.01")
    for to, words in (("kim", "limit"), ("mallory", "no approver"), ("", "")):
        answer = await _post(desk, "dana", view["key"], "delegate", to=to)
        assert answer.status_code in {403, 422}, answer.text
        assert words in answer.text
    assert (await desk.invoice(view["key"]))["assignee"] == "dana"


async def test_whoever_may_not_decide_is_refused_over_http(desk: Stack) -> None:
    view = await _waiting(desk, "30000.01")
    over = await _approve(desk, "kim", view)
    assert (over.status_code, "limit" in over.text) == (403, True)
    headers = await desk.token("reader", Scope.READ)
    body = {"action": "approve", "revision": view["revision"]}
    lacking = await desk.api.post(f"/invoices/{view['key']}/decision", json=body, headers=headers)
    assert lacking.status_code == 403
    assert (await desk.invoice(view["key"]))["status"] == "awaiting_approval"


@pytest.mark.parametrize(
    ("signal", "body", "words"),
    [
        ("approve", {"approver": "kim"}, "limit"),
        ("approve", {"approver": "admin"}, "admin"),
        ("approve", {"approver": "mallory"}, "no approver"),
        ("reject", {"approver": "dana"}, "reason"),
        ("approve", {"approver": "dana", "revision": "0000"}, "present revision"),
        ("approve", "not an object", "no JSON object"),
        ("approve", {"aprover": "dana"}, "aprover"),
        ("retry", {"actor": "dana"}, "cannot retry"),
        ("cancel", {"actor": "mallory", "reason": "because"}, "no approver"),
    ],
)
async def test_a_signal_that_may_not_decide_is_recorded_and_ignored_with_the_reason_shown(
    desk: Stack, signal: str, body: Any, words: str
) -> None:
    """`admin` triggered it; nobody approves what he triggered."""
    view = await _waiting(desk, "30000.01")
    await desk.client.get_workflow_handle(view["key"]).signal(signal, body)

    async def refused() -> Any:
        found = await desk.invoice(view["key"])
        return next((entry for entry in found["timeline"] if entry["kind"] == "refused"), None)

    entry = await assert_eventually(refused)
    assert words in entry["text"]
    assert (await desk.invoice(view["key"]))["status"] == "awaiting_approval"
    assert (await _approve(desk, "dana", view)).is_success
    await desk.until(view["key"], "sent")
