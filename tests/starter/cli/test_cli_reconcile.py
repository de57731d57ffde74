"""`billhook reconcile` and `billhook schedule` as processes beside a running stack."""

import asyncio
import json
import os
import subprocess
from typing import Any

import pytest

from starter.cli.exits import Exit
from tests import commands
from tests.stack import Stack


async def billhook(stack: Stack, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    address = stack.client.service_client.config.target_host
    given = {
        "TEMPORAL_ADDRESS": address,
        "BILLHOOK_TASK_QUEUE": stack.settings.task_queue,
        "BILLHOOK_DATA_DIR": str(stack.settings.data_dir),
        "BILLHOOK_RECONCILE_GRACE_S": "0",
    }
    return await asyncio.to_thread(commands.run, *arguments, env=os.environ | given | env)


async def test_it_heals_what_it_can_and_says_what_is_left_with_a_step(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await stack.faults(webhook_drop_rate=1)
    await stack.recipient(key, "approve", version="1")
    tried = await billhook(stack, "reconcile", "--dry-run")
    assert (tried.returncode, "WOULD BE HEALED" in tried.stdout) == (Exit.OK, True), tried.stderr
    healed = await billhook(stack, "reconcile")
    assert healed.returncode == Exit.OK, healed.stderr
    assert key in healed.stdout
    await stack.until(key, "billed")
    lines: list[dict[str, Any]] = [{"description": "\x1b[2JElse", "quantity": 1, "unit_price_cents": 100}]
    await stack.jupiter.post(
        "/api/v1/invoices", json={"recipient": {"company": "X"}, "due_date": "2027-01-31", "line_items": lines}
    )
    left = await billhook(stack, "reconcile")
    assert left.returncode == Exit.NOT_IN_ORDER, left.stderr
    assert "unknown_invoice" in left.stdout
    assert "next: " in left.stdout
    told = await billhook(stack, "reconcile", "--json")
    report = json.loads(told.stdout)
    assert (told.returncode, report["compared"], report["left_count"], report["healed"]) == (7, 2, 1, [])


async def test_without_temporal_it_says_so_and_ends(stack: Stack) -> None:
    for arguments in (["reconcile"], ["schedule", "show"], ["schedule", "apply"]):
        ended = await billhook(stack, *arguments, TEMPORAL_ADDRESS="127.0.0.1:1")
        assert ended.returncode == Exit.UNREACHABLE
        assert "cause:" in ended.stderr
        assert "next:" in ended.stderr


@pytest.mark.usefixtures("without_schedules")
async def test_schedules_are_shown_applied_paused_and_resumed(stack: Stack) -> None:
    missing = await billhook(stack, "schedule", "show")
    assert (missing.returncode, "missing" in missing.stdout) == (Exit.NOT_IN_ORDER, True), missing.stderr
    assert (await billhook(stack, "schedule", "apply")).returncode == Exit.OK
    assert (await billhook(stack, "schedule", "pause", "billhook-reconcile", "--note", "quiet")).returncode == Exit.OK
    shown = await billhook(stack, "schedule", "show", "--json")
    assert (shown.returncode, json.loads(shown.stdout)[0]["state"]) == (Exit.OK, "paused: quiet")
    assert (await billhook(stack, "schedule", "resume", "billhook-reconcile")).returncode == Exit.OK
    assert (await billhook(stack, "schedule", "pause", "nothing", "--note", "x")).returncode == Exit.NOT_FOUND
