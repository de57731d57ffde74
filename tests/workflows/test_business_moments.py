"""Over a weekend, a public holiday and either clock change, each step comes at its minute of the local clock.

The moments are written down as a person would: asked at three on the last working day before the gap, four business
hours later is eleven on the first one after it. Which days people work is read from the calendar of public holidays
itself, not from the code that is tested.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pytest
from temporalio.testing import WorkflowEnvironment

from records.tokens import Scope
from tests.skipping import skipping_stack
from tests.stack import Stack, assert_eventually

ZONES = {"Europe/Berlin": ("DE", "BE"), "America/New_York": ("US", "NY")}
ASKED = time(15)
STEPS = {"reminder": time(11), "escalation": time(13), "expiry": time(15)}
CASE_STEPS = {"reminder": time(11), "warning": time(13), "breach": time(15)}
# Open from nine to five: two hours are left on the day itself.


def _policy(zone: str) -> str:
    country, part = ZONES[zone]
    return f"""
[business_hours]
zone = "{zone}"
holidays = "{country}-{part}"
[approval]
assignee = "dana"
escalate_to = "robin"
remind_after_hours = 4
escalate_after_hours = 6
expire_after_hours = 8
[cases]
owner = "dana"
escalate_to = "robin"
deadline_hours = 8
warn_before_hours = 2
[[approvers]]
name = "dana"
email = "dana@billhook.example"
[[approvers]]
name = "robin"
email = "robin@billhook.example"
"""


def _works(zone: str, day: date) -> bool:
    country, part = ZONES[zone]
    return day.weekday() < 5 and day not in holidays.country_holidays(country, subdiv=part, years=day.year)


def _days(after: datetime) -> Iterator[date]:
    return (after.date() + timedelta(days=number) for number in range(2, 800))


def _offset(zone: str, day: date) -> timedelta:
    return datetime.combine(day, time(12), ZoneInfo(zone)).utcoffset() or timedelta()


def _before_a_weekend(zone: str, day: date) -> bool:
    around = [day + timedelta(days=number) for number in range(4)]
    return day.weekday() == 4 and [_works(zone, one) for one in around] == [True, False, False, True]


def _before_a_holiday(zone: str, day: date) -> bool:
    next_day = day + timedelta(days=1)
    return _works(zone, day) and next_day.weekday() < 5 and not _works(zone, next_day)


def _before_summer(zone: str, day: date) -> bool:
    return _works(zone, day) and _offset(zone, day) < _offset(zone, _next_working_day(zone, day))


def _before_winter(zone: str, day: date) -> bool:
    return _works(zone, day) and _offset(zone, day) > _offset(zone, _next_working_day(zone, day))


def _next_working_day(zone: str, day: date) -> date:
    return next(one for one in (day + timedelta(days=number) for number in range(1, 20)) if _works(zone, one))


Gap = Callable[[str, date], bool]
GAPS: dict[str, Gap] = {
    "a weekend": _before_a_weekend,
    "a public holiday": _before_a_holiday,
    "the change to summer time": _before_summer,
    "the change to winter time": _before_winter,
}


@asynccontextmanager
async def _asked_at(
    skipping: WorkflowEnvironment, folder: Path, zone: str, gap: Gap
) -> AsyncIterator[tuple[Stack, date]]:
    """A stack at three o'clock of the next day before such a gap, the invoicing API's clock too."""
    file = folder / "policy.toml"
    file.write_text(_policy(zone))
    async with skipping_stack(skipping, folder, policy_file=file) as stack:
        await stack.approvers("dana", "robin")
        await stack.customer()
        now = await skipping.get_current_time()
        day = next(one for one in _days(now) if gap(zone, one))
        asked = datetime.combine(day, ASKED, ZoneInfo(zone)).astimezone(UTC)
        await skipping.sleep(asked - now)
        await stack.jupiter.put("/_sandbox/clock", json={"now": asked.isoformat()})
        yield stack, day


def _fired(view: dict[str, Any], kind: str) -> datetime:
    (found,) = [entry for entry in view["timeline"] if entry["kind"] == kind]
    return datetime.fromisoformat(found["at"])


def _check(view: dict[str, Any], steps: dict[str, time], began: datetime, zone: str, day: date) -> None:
    """To the minute, counted from when it really began, seconds after three."""
    late = began - datetime.combine(day, ASKED, ZoneInfo(zone))
    assert timedelta() <= late < timedelta(minutes=5)
    after = _next_working_day(zone, day)
    for kind, at in steps.items():
        expected = datetime.combine(after, at, ZoneInfo(zone)).astimezone(UTC) + late
        # The test server's timers ring some milliseconds early or late.
        assert abs(_fired(view, kind) - expected) < timedelta(seconds=30), kind


async def _mailed(stack: Stack, to: str, *subjects: str) -> None:
    """These mails and no others, by how their subjects begin."""

    async def told() -> bool:
        begins = [str(mail["subject"]).strip().partition(":")[0] for mail in stack.mailbox.mails if to in mail["to"]]
        return sorted(begins) == sorted(subjects)

    await assert_eventually(told)


@pytest.mark.parametrize("gap", GAPS.values(), ids=GAPS.keys())
@pytest.mark.parametrize("zone", ZONES)
async def test_an_approval_is_reminded_of_escalated_and_lapses_at_its_minute(
    skipping: WorkflowEnvironment, tmp_path: Path, zone: str, gap: Gap
) -> None:
    async with _asked_at(skipping, tmp_path, zone, gap) as (stack, day):
        key = await stack.milestone(amount="30000.00")
        waiting = await stack.until(key, "awaiting_approval")
        began = _fired(waiting, "assessed")
        await skipping.sleep(timedelta(days=10))
        ended = await stack.until(key, "rejected")
        _check(ended, STEPS, began, zone, day)
        assert datetime.fromisoformat(waiting["decide_by"]) - _fired(ended, "expiry") < timedelta(minutes=1)
        await _mailed(stack, "dana@", "To decide", "Reminder")
        await _mailed(stack, "robin@", "Escalation")


@pytest.mark.parametrize("gap", GAPS.values(), ids=GAPS.keys())
@pytest.mark.parametrize("zone", ZONES)
async def test_a_change_request_is_reminded_of_warned_of_and_breached_at_its_minute(
    skipping: WorkflowEnvironment, tmp_path: Path, zone: str, gap: Gap
) -> None:
    """And its breach is escalated; who answers it too late leaves both times on record."""
    async with _asked_at(skipping, tmp_path, zone, gap) as (stack, day):
        key = await stack.milestone()
        await stack.until(key, "sent")
        asked = await stack.recipient(key, "change-request", message="cheaper")
        assert asked.is_success, asked.text
        case = (await stack.until(key, "change_requested"))["cases"][0]
        await _mailed(stack, "dana@", "Change requested")
        await skipping.sleep(timedelta(days=10))
        await _mailed(stack, "robin@", "Overdue")
        view = await stack.invoice(key)
        _check(view, CASE_STEPS, datetime.fromisoformat(case["opened_at"]), zone, day)
        await _mailed(stack, "dana@", "Change requested", "Reminder", "Due soon")
        body = {"action": "decline", "note": "as ordered"}
        headers = await stack.token("robin", Scope.APPROVE, Scope.READ)
        path = f"/invoices/{key}/change-requests/{case['id']}/decision"
        assert (await stack.api.post(path, json=body, headers=headers)).is_success
        closed = (await stack.until(key, "sent", "viewed"))["cases"][0]
        assert (closed["breached_at"], closed["resolved_by"]) == (closed["deadline"], "robin")
        assert closed["deadline"] < closed["first_response_at"] <= closed["resolved_at"]


async def test_what_was_decided_is_never_reminded_of(skipping: WorkflowEnvironment, tmp_path: Path) -> None:
    async with _asked_at(skipping, tmp_path, "Europe/Berlin", _before_a_weekend) as (stack, _):
        key = await stack.milestone(amount="30000.00")
        view = await stack.until(key, "awaiting_approval")
        body = {"action": "approve", "revision": view["revision"]}
        headers = await stack.token("dana", Scope.APPROVE, Scope.READ)
        assert (await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)).is_success
        await stack.until(key, "sent")
        await skipping.sleep(timedelta(days=60))
        await stack.recipient(key, "approve", version="1")
        await stack.until(key, "billed")
        assert not [
            mail for mail in stack.mailbox.mails if str(mail["subject"]).strip().startswith(("Reminder", "Escalation"))
        ]
