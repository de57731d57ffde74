"""Whoever gets an approval after somebody else is asked by his own calendar, and only if he could give it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from temporalio.testing import WorkflowEnvironment

from records.tokens import Scope, revoke_token
from tests.skipping import skipping_stack
from tests.stack import Stack, assert_eventually

ZONES: Final = {"dana": "Europe/Berlin", "robin": "America/New_York"}
MORNING: Final = (9, 30)
# Of a Monday in Berlin: half past three at night in New York, or half past four between their clock changes.
AMOUNT, FAR_OVER = "30000.00", "120000.00"
_LIMITED: Final = 'limits = { USD = "10000.00" }'


def _policy(robin: str = "", on_expiry: str = "discard", **hours: int) -> str:
    times = {"remind": 2, "escalate": 4, "expire": 80} | hours
    return f"""
[second_limits]
USD = "100000.00"
[approval]
assignee = "dana"
escalate_to = "robin"
on_expiry = "{on_expiry}"
remind_after_hours = {times["remind"]}
escalate_after_hours = {times["escalate"]}
expire_after_hours = {times["expire"]}
[[approvers]]
name = "dana"
email = "dana@billhook.example"
[approvers.business_hours]
zone = "{ZONES["dana"]}"
[[approvers]]
name = "robin"
email = "robin@billhook.example"
{robin}
[approvers.business_hours]
zone = "{ZONES["robin"]}"
"""


@asynccontextmanager
async def _waiting(
    skipping: WorkflowEnvironment, folder: Path, policy: str, amount: str = AMOUNT
) -> AsyncIterator[tuple[Stack, str]]:
    """An approval that is put to dana in the morning of a Monday."""
    file = folder / "policy.toml"
    file.write_text(policy)
    async with skipping_stack(skipping, folder, policy_file=file) as stack:
        await stack.approvers(*ZONES)
        await stack.customer()
        now = await skipping.get_current_time()
        asked = _monday(now)
        await skipping.sleep(asked - now)
        await stack.jupiter.put("/_sandbox/clock", json={"now": asked.isoformat()})
        key = await stack.milestone(amount=amount)
        view = await stack.until(key, "awaiting_approval")
        assert view["assignee"] == "dana"
        yield stack, key


def _monday(now: datetime) -> datetime:
    day = now.date() + timedelta(days=7 - now.weekday())
    return datetime(day.year, day.month, day.day, *MORNING, tzinfo=ZoneInfo(ZONES["dana"])).astimezone(UTC)


async def _once(stack: Stack, key: str, true_of: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        view = await stack.invoice(key)
        return view if true_of(view) else None

    found: dict[str, Any] = await assert_eventually(look)
    return found


def _all(view: dict[str, Any], kind: str) -> list[datetime]:
    return [datetime.fromisoformat(entry["at"]) for entry in view["timeline"] if entry["kind"] == kind]


def _texts(view: dict[str, Any], kind: str) -> str:
    return " / ".join(entry["text"] for entry in view["timeline"] if entry["kind"] == kind)


def _local(at: datetime, who: str) -> tuple[int, int, int]:
    local = at.astimezone(ZoneInfo(ZONES[who]))
    return local.weekday(), local.hour, local.minute


async def _approve(stack: Stack, key: str, who: str) -> None:
    body = {"action": "approve", "revision": (await stack.invoice(key))["revision"]}
    headers = await stack.token(who, Scope.APPROVE, Scope.READ)
    answer = await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)
    assert answer.is_success, answer.text


async def test_whom_it_is_escalated_to_is_reminded_at_his_own_hours(
    skipping: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with _waiting(skipping, tmp_path, _policy()) as (stack, key):
        await skipping.sleep(timedelta(hours=12))
        view = await _once(stack, key, lambda view: len(_all(view, "reminder")) == 2)
        first, second = _all(view, "reminder")
        (escalated,) = _all(view, "escalation")
        # Dana has seen two hours of work by half past eleven, and four by half past one.
        assert (_local(first, "dana"), _local(escalated, "dana")) == ((0, 11, 30), (0, 13, 30))
        # Night in New York then: two hours of work there are over at eleven.
        assert _local(escalated, "robin")[1] in {7, 8}
        assert _local(second, "robin") == (0, 11, 0)
        assert (view["assignee"], _texts(view, "escalation")) == (
            "robin", "escalation: still waits for a decision; put to robin",
        )  # fmt: skip
        mails = [(str(mail["to"]), str(mail["subject"])) for mail in stack.mailbox.mails]
        assert len([1 for to, _ in mails if "robin@" in to]) == 2
        assert len(mails) == len(set(mails))


async def test_the_second_yes_is_waited_for_by_the_hours_of_whoever_is_to_give_it(
    skipping: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with _waiting(skipping, tmp_path, _policy(), FAR_OVER) as (stack, key):
        await _approve(stack, key, "dana")
        view = await _once(stack, key, lambda view: view["assignee"] == "robin")
        assert "put to robin instead, since dana has approved" in _texts(view, "assigned")
        await skipping.sleep(timedelta(hours=12))
        view = await _once(stack, key, lambda view: _all(view, "escalation"))
        assert _local(_all(view, "reminder")[0], "robin") == (0, 11, 0)
        assert [_local(at, "robin") for at in _all(view, "escalation")] == [(0, 13, 0)]
        await _approve(stack, key, "robin")
        await stack.until(key, "sent")


@pytest.mark.parametrize(("limits", "words"), [(_LIMITED, "over robin's limit"), ("", "'robin' is no approver")])
async def test_it_is_escalated_to_nobody_who_could_not_give_it(
    skipping: WorkflowEnvironment, tmp_path: Path, limits: str, words: str
) -> None:
    async with _waiting(skipping, tmp_path, _policy(limits)) as (stack, key):
        if not limits:
            async with stack.database.transaction() as session:
                await revoke_token(session, "robin")
        await skipping.sleep(timedelta(hours=24))
        view = await _once(stack, key, lambda view: _all(view, "escalation"))
        assert view["assignee"] == "dana"
        assert "put to dana instead, since" in _texts(view, "escalation")
        assert words in _texts(view, "escalation")
        await _once(stack, key, lambda view: "escalation of V1 mailed" in str(view["timeline"]))
        assert not any("robin@" in str(mail["to"]) for mail in stack.mailbox.mails)


async def test_where_neither_may_any_more_it_waits_for_anyone_who_may(
    skipping: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with _waiting(skipping, tmp_path, _policy()) as (stack, key):
        async with stack.database.transaction() as session:
            for name in ZONES:
                await revoke_token(session, name)
        await skipping.sleep(timedelta(hours=24))
        view = await _once(stack, key, lambda view: _all(view, "escalation"))
        assert view["assignee"] == ""
        assert "put to anyone who may approve instead, since" in _texts(view, "escalation")
        assert "Waits for a person to approve" in view["waiting_for"]


async def test_a_lapse_that_comes_before_any_escalation_is_one(skipping: WorkflowEnvironment, tmp_path: Path) -> None:
    async with _waiting(skipping, tmp_path, _policy(on_expiry="keep", escalate=0, expire=3)) as (stack, key):
        await skipping.sleep(timedelta(hours=24))
        view = await _once(stack, key, lambda view: _all(view, "expiry"))
        assert (view["status"], view["assignee"]) == ("awaiting_approval", "robin")
        assert _texts(view, "expiry") == "nobody decided in time; it waits on; put to robin"
        await _approve(stack, key, "robin")
        await stack.until(key, "sent")
