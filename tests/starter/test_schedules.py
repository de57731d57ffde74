"""Schedules on a real server: they come into being, stay as they should be, and run what they say."""

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.service import RPCError

from billing.errors import BadInput
from billing.groups import BillingGroup
from billing.reconcile_report import ReconcileReport
from billing.run_status import RunStatus
from records import run_status
from settings import Settings
from starter import schedules
from tests.records.metered import NOW
from tests.stack import Stack, assert_eventually
from workflows.usage_run import RunStart, UsageRunWorkflow


@pytest.fixture
def client(without_schedules: Client) -> Client:
    return without_schedules


async def test_applying_creates_once_updates_after_that_and_keeps_a_pause(client: Client) -> None:
    before = await schedules.show(client, Settings())
    assert [one.exists for one in before] == [False]
    first = await schedules.apply(client, Settings(reconcile_minutes=30))
    assert "created" in first[0]
    await schedules.pause(client, schedules.RECONCILE, "provider's maintenance")
    again = await schedules.apply(client, Settings(reconcile_minutes=5))
    assert "up to date" in again[0]
    [shown] = await schedules.show(client, Settings(reconcile_minutes=5))
    assert (shown.paused, shown.note, shown.next_at) == (True, "provider's maintenance", None)
    described = await client.get_schedule_handle(schedules.RECONCILE).describe()
    [interval] = described.schedule.spec.intervals
    assert interval.every.total_seconds() == 300
    assert described.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    await schedules.resume(client, schedules.RECONCILE)
    [shown] = await schedules.show(client, Settings())
    assert not shown.paused
    assert shown.next_at is not None


async def test_a_firing_reconciles(client: Client, stack: Stack) -> None:
    await schedules.apply(client, stack.settings)
    await client.get_schedule_handle(schedules.RECONCILE).trigger()

    async def ran() -> Any:
        described = await client.get_schedule_handle(schedules.RECONCILE).describe()
        return described.info.recent_actions

    [action] = await assert_eventually(ran)
    handle = client.get_workflow_handle(action.action.workflow_id, result_type=ReconcileReport)
    report = await handle.result()
    assert (report.pages, report.left_count) == (1, 0)


ZONES = {
    "nz": "Pacific/Auckland",
    "europe": "Europe/Berlin",
    "us-west": "America/Los_Angeles",
    "india": "Asia/Kolkata",
}


def with_groups(tmp_path: Path, zones: dict[str, str], settings: Settings | None = None) -> Settings:
    """Settings whose motions.toml has these billing groups."""
    path = tmp_path / "motions.toml"
    path.write_text("".join(f'[[billing_groups]]\nname = "{name}"\nzone = "{zone}"\n' for name, zone in zones.items()))
    base = settings or Settings(task_queue=f"billhook-{uuid.uuid4().hex[:8]}")
    return base.model_copy(update={"motions_file": path})


async def forget(client: Client, *names: str) -> None:
    for name in names:
        with suppress(RPCError):
            await client.get_schedule_handle(f"{schedules.RUN}{name}").delete()


async def test_each_group_has_a_schedule_at_nine_on_the_first_in_its_zone_that_no_outage_makes_it_miss(
    client: Client, tmp_path: Path
) -> None:
    settings = with_groups(tmp_path, ZONES)
    await schedules.apply(client, settings)
    for name, zone in ZONES.items():
        described = await client.get_schedule_handle(f"{schedules.RUN}{name}").describe()
        policy, spec = described.schedule.policy, described.schedule.spec
        assert (policy.overlap, policy.catchup_window) == (ScheduleOverlapPolicy.BUFFER_ONE, timedelta(days=45))
        assert spec.time_zone_name == zone
        local = [at.astimezone(ZoneInfo(zone)) for at in described.info.next_action_times]
        assert len(local) > 6, "both clock changes are among them"
        assert {(at.day, at.hour, at.minute) for at in local} == {(1, 9, 0)}
    await forget(client, *ZONES)


async def test_applying_takes_away_the_run_of_a_group_that_is_gone_and_no_schedule_of_anybody_else(
    client: Client, tmp_path: Path
) -> None:
    settings = with_groups(tmp_path, {"gone-1": "UTC", "stays-1": "UTC"})
    await schedules.apply(client, settings)
    stranger = with_groups(tmp_path, {"stranger-1": "UTC"})
    await schedules.apply(client, stranger)
    settings = with_groups(tmp_path, {"stays-1": "UTC"}, settings)
    # A worker's start creates and updates, and removes nothing.
    assert not any("removed" in line for line in await schedules.apply(client, settings))
    assert await assert_eventually(lambda: schedules.unplanned(client, settings)) == [f"{schedules.RUN}gone-1"]
    assert await schedules.remove_unplanned(client, settings) == [
        f"{schedules.RUN}gone-1: removed, motions.toml has no such billing group"
    ]
    for name in ("stays-1", "stranger-1"):
        await client.get_schedule_handle(f"{schedules.RUN}{name}").describe()
    with pytest.raises(RPCError):
        await client.get_schedule_handle(f"{schedules.RUN}gone-1").describe()
    await forget(client, "stays-1", "stranger-1")


@pytest.mark.parametrize(
    ("zone", "first", "last", "fired"),
    [
        ("Pacific/Auckland", "2026-08", "2026-09", ["2026-08-31T21:00", "2026-09-30T20:00"]),  # its clock changes
        ("Europe/Berlin", "2026-09", "2026-10", ["2026-10-01T07:00", "2026-11-01T08:00"]),
        ("America/Los_Angeles", "2026-02", "2026-03", ["2026-03-01T17:00", "2026-04-01T16:00"]),
        ("Asia/Kolkata", "2024-02", "2024-02", ["2024-03-01T03:30"]),
    ],
)
async def test_a_firing_that_is_late_bills_the_month_before_its_own_time_in_its_groups_zone(
    stack: Stack, zone: str, first: str, last: str, fired: list[str]
) -> None:
    """Fired years late, as after an outage: the nominal time alone says which month."""
    group = BillingGroup(name=f"z-{uuid.uuid4().hex[:8]}", zone=zone)
    wanted = schedules.firings(group, first, last, datetime(2026, 11, 26, tzinfo=UTC))
    assert [f"{one.at:%Y-%m-%dT%H:%M}" for one in wanted] == fired
    plan = schedules.of_group(stack.settings, group)
    handle = await stack.client.create_schedule(plan.id, plan.schedule)
    try:
        await schedules.backfill(stack.client, plan.id, wanted)

        async def run() -> list[RunStatus]:
            async with stack.database.session() as s:
                found = [await run_status.status(s, group.name, one.period, NOW) for one in wanted]
            return [one for one in found if one] if all(one and one.finished_at for one in found) else []

        done = await assert_eventually(run)
    finally:
        await handle.delete()
    assert [(one.period, one.started_by) for one in done] == [(one.period, "schedule") for one in wanted]
    assert {one.group for one in await latest(stack)} == {group.name}
    assert len(await latest(stack)) == len(wanted)


async def latest(stack: Stack) -> list[RunStatus]:
    async with stack.database.session() as s:
        return await run_status.latest(s, NOW)


def test_a_range_of_months_that_is_none_or_not_due_is_refused() -> None:
    group = BillingGroup(name="europe", zone="Europe/Berlin")
    with pytest.raises(BadInput, match="2026-08 is before 2026-09"):
        schedules.firings(group, "2026-09", "2026-08", NOW)
    with pytest.raises(BadInput, match="2026-11 is billed on 2026-12-01T08:00Z"):
        schedules.firings(group, "2026-10", "2026-12", NOW)


async def test_a_firing_beside_a_run_by_hand_leaves_the_month_to_it(stack: Stack) -> None:
    group = BillingGroup(name=f"z-{uuid.uuid4().hex[:8]}", zone="UTC")
    [wanted] = schedules.firings(group, "2026-10", "2026-10", NOW)
    held = await stack.client.start_workflow(
        UsageRunWorkflow.run,
        RunStart(group=group.name, period="2026-10", by="dana"),
        id=f"run:{group.name}:2026-10",
        task_queue=f"{stack.settings.task_queue}-nobody",
    )
    plan = schedules.of_group(stack.settings, group)
    handle = await stack.client.create_schedule(plan.id, plan.schedule)
    try:
        await schedules.backfill(stack.client, plan.id, [wanted])

        async def ran() -> Any:
            return (await handle.describe()).info.recent_actions

        [action] = await assert_eventually(ran)
        fired = stack.client.get_workflow_handle(action.action.workflow_id, result_type=str)
        assert await fired.result() == "2026-10: under way already"
    finally:
        await handle.delete()
        await held.terminate()
