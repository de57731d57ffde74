"""Schedules on a real server: they come into being, stay as they should be, and run what they say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.reconcile_report import ReconcileReport
from settings import Settings
from starter import schedules
from tests.stack import Stack, assert_eventually


@pytest.fixture
async def client(temporal_address: str) -> AsyncIterator[Client]:
    """The schedules' ids are fixed, so each test begins without them and leaves none."""
    found = await Client.connect(temporal_address, data_converter=pydantic_data_converter)
    yield found
    for one in schedules.planned(Settings()):
        await found.get_schedule_handle(one.id).delete()


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
