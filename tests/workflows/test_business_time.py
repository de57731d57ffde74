"""Reminder, escalation and expiry come at the right business minute, by the calendar of whoever must decide."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.testing import WorkflowEnvironment

from billing.deadlines import Calendar, add_business_time
from records.tokens import Scope
from tests.skipping import skipping_stack
from tests.stack import Stack, assert_eventually

ZONES = {"Europe/Berlin": "DE-BE", "America/New_York": "US-NY"}
# The clock of the time-skipping server begins at the present, so a year of waiting crosses both clock changes, every
# weekend and every public holiday of it; half a year is between the first step and the last.
HOURS = {"remind": 4, "escalate": 700, "expire": 1400}
_STEPS = ("reminder", "escalation", "expiry")


def _policy(zone: str, holidays: str, on_expiry: str) -> str:
    return f"""
[approval]
assignee = "dana"
escalate_to = "robin"
remind_after_hours = {HOURS["remind"]}
escalate_after_hours = {HOURS["escalate"]}
expire_after_hours = {HOURS["expire"]}
on_expiry = "{on_expiry}"
[[approvers]]
name = "dana"
email = "dana@billhook.example"
[approvers.business_hours]
zone = "{zone}"
holidays = "{holidays}"
[[approvers]]
name = "robin"
email = "robin@billhook.example"
"""


@pytest.fixture
async def waiting(
    skipping: WorkflowEnvironment, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Stack, str]]:
    zone, on_expiry = request.param
    file = tmp_path / "policy.toml"
    file.write_text(_policy(zone, ZONES[zone], on_expiry))
    async with skipping_stack(skipping, tmp_path, policy_file=file) as stack:
        await stack.approvers("dana", "robin")
        await stack.customer()
        key = await stack.milestone(amount="30000.00")
        await stack.until(key, "awaiting_approval")
        yield stack, key


def _at(view: dict[str, Any], kind: str) -> datetime:
    found = next(entry for entry in view["timeline"] if entry["kind"] == kind)
    return datetime.fromisoformat(found["at"])


def _expected(view: dict[str, Any], zone: str) -> dict[str, datetime]:
    calendar = Calendar(zone=zone, holidays=ZONES[zone])
    began = _at(view, "assessed")
    hours = dict(zip(_STEPS, HOURS.values(), strict=True))
    return {kind: add_business_time(began, timedelta(hours=count), calendar) for kind, count in hours.items()}


@pytest.mark.parametrize("waiting", [(zone, "discard") for zone in ZONES], indirect=True, ids=list(ZONES))
async def test_each_step_comes_at_its_business_minute_over_weekends_holidays_and_both_clock_changes(
    waiting: tuple[Stack, str], skipping: WorkflowEnvironment, request: pytest.FixtureRequest
) -> None:
    stack, key = waiting
    zone = request.node.callspec.params["waiting"][0]
    await skipping.sleep(timedelta(days=400))
    ended = await stack.until(key, "rejected")
    for kind, expected in _expected(ended, zone).items():
        assert abs(_at(ended, kind) - expected) < timedelta(minutes=1), kind
        local = _at(ended, kind).astimezone(ZoneInfo(zone))
        assert local.weekday() < 5
        assert local.replace(tzinfo=None).time() <= datetime(2026, 1, 1, 17, 0, 59).time()  # noqa: DTZ001 - a local time
    offsets = {(_at(ended, "assessed") + timedelta(days=n)).astimezone(ZoneInfo(zone)).utcoffset() for n in range(200)}
    assert len(offsets) == 2
    await stack.assert_no_number_was_used()


@pytest.mark.parametrize("waiting", [("Europe/Berlin", "keep")], indirect=True)
async def test_where_the_policy_keeps_it_the_lapse_is_on_record_and_it_waits_on(
    waiting: tuple[Stack, str], skipping: WorkflowEnvironment
) -> None:
    stack, key = waiting
    await skipping.sleep(timedelta(days=400))

    async def lapsed() -> Any:
        found = await stack.invoice(key)
        return found if any(entry["kind"] == "expiry" for entry in found["timeline"]) else None

    view = await assert_eventually(lapsed)
    assert (view["status"], view["assignee"]) == ("awaiting_approval", "robin")
    headers = await stack.token("robin", Scope.APPROVE, Scope.READ)
    body = {"action": "approve", "revision": view["revision"]}
    assert (await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)).is_success
    await stack.until(key, "sent")
