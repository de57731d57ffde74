"""`billhook run start|status` and the schedules of runs, as processes beside a running stack."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from records.metering import take
from records.subscriptions import put_subscription
from starter.cli.exits import Exit
from tests.records.metered import GROUPS, NOW, a_body, an_event
from tests.stack import Stack, assert_eventually
from tests.starter.cli.test_cli_reconcile import billhook

Env = dict[str, str]


@pytest.fixture
async def env(stack: Stack, tmp_path: Path) -> Env:
    """Two subscriptions to bill and one that used nothing, in a group of the test's own name."""
    name = f"g-{uuid.uuid4().hex[:8]}"
    path = tmp_path / "motions.toml"
    path.write_text(f'[[billing_groups]]\nname = "{name}"\nzone = "Europe/Berlin"\n')
    await stack.customer()
    async with stack.database.transaction() as s:
        for number, used in enumerate(("1000", "2000", "")):
            one = f"{name}-{number}"
            await put_subscription(s, one, a_body(billing_group=name))
            if used:
                groups = {name: GROUPS["europe"].model_copy(update={"name": name})}
                await take(s, [an_event(one, used, subscription_id=one)], groups, NOW)
    return {"BILLHOOK_MOTIONS_FILE": str(path), "GROUP": name}


async def test_a_run_is_started_followed_and_told_for_people_and_programs(stack: Stack, env: Env) -> None:
    name = env["GROUP"]
    none = await billhook(stack, "run", "status", "2026-10", **env)
    assert none.returncode == Exit.OK, none.stderr
    assert f"{name}  2026-10 was never run" in none.stdout
    assert f"billhook run start 2026-10 --group {name}" in none.stdout
    [never] = json.loads((await billhook(stack, "run", "status", "2026-10", "--json", **env)).stdout)
    assert never == {"group": name, "period": "2026-10", "started_at": None}
    started = await billhook(stack, "run", "start", "2026-10", "--by", "dana", "--json", **env)
    assert started.returncode == Exit.OK, started.stderr
    [found] = json.loads(started.stdout)
    assert (found["workflow_id"], found["created"]) == (f"run:{name}:2026-10", True)

    async def through() -> dict[str, Any] | None:
        [one] = json.loads((await billhook(stack, "run", "status", "2026-10", "--json", **env)).stdout)
        return one if one["started_at"] and one["finished_at"] and not one["on_the_way"] else None

    told = await assert_eventually(through, patience_s=60)
    assert (told["billed"], told["amounts"], told["expected"]) == (2, {"USD": "30.00"}, 3)
    shown = await billhook(stack, "run", "status", "2026-10", "--group", name, **env)
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert lines[0].startswith(f"{name} 2026-10 all started at ")
    assert lines[0].endswith(" by dana")
    assert lines[1:4] == ["read 3 of 3 subscriptions", "invoices 2: 30.00 USD", "now 2 sent"]
    assert f"no invoice 1: nothing to bill was used (for example {name}-2)" in lines


async def test_what_cannot_be_run_is_said_with_the_next_step(stack: Stack, env: Env) -> None:
    early = await billhook(stack, "run", "start", "2999-01", "--early", **env)
    assert early.returncode == Exit.REFUSED
    assert "2999-01 does not begin in Europe/Berlin before 2998-12-31T23:00Z" in early.stderr
    assert "--early" in early.stderr
    group = await billhook(stack, "run", "status", "2026-10", "--group", "asia", **env)
    assert (group.returncode, f"use one of {env['GROUP']}" in group.stderr) == (Exit.NOT_FOUND, True)
    month = await billhook(stack, "run", "start", "2026-13", **env)
    assert (month.returncode, "is no month" in month.stderr) == (Exit.USAGE, True)


@pytest.mark.usefixtures("without_schedules")
async def test_without_a_motions_file_no_schedule_is_removed_unless_it_is_told_so(stack: Stack, env: Env) -> None:
    schedule = f"billhook-run-{env['GROUP']}"
    await billhook(stack, "schedule", "apply", **env)

    async def listed() -> bool:
        return schedule in (await billhook(stack, "schedule", "show")).stderr

    await assert_eventually(listed, patience_s=60)
    refused = await billhook(stack, "schedule", "apply")
    assert (refused.returncode, refused.stdout) == (Exit.REFUSED, "")
    assert "field: motions_file" in refused.stderr
    assert schedule in refused.stderr
    assert "set BILLHOOK_MOTIONS_FILE" in refused.stderr
    kept = await billhook(stack, "schedule", "show", "--json", **env)
    assert [one["exists"] for one in json.loads(kept.stdout) if one["id"] == schedule] == [True]
    told = await billhook(stack, "schedule", "apply", "--remove")
    assert f"{schedule}: removed" in told.stdout


@pytest.mark.usefixtures("without_schedules")
async def test_a_schedule_is_applied_backfilled_and_removed_with_its_group(stack: Stack, env: Env) -> None:
    schedule = f"billhook-run-{env['GROUP']}"
    applied = await billhook(stack, "schedule", "apply", **env)
    assert f"{schedule}: created, bill the month before, on the 1st at 09:00 in Europe/Berlin" in applied.stdout
    months = ("schedule", "backfill", schedule, "--from", "2026-09", "--to", "2026-10")
    dry = await billhook(stack, *months, "--dry-run", **env)
    assert dry.stdout.splitlines() == [
        "2026-09  would be fired as of 2026-10-01T07:00Z",
        "2026-10  would be fired as of 2026-11-01T08:00Z",
    ]
    fired = await billhook(stack, *months, **env)
    assert fired.stdout.splitlines()[1] == "2026-10  fired as of 2026-11-01T08:00Z"

    async def ran() -> bool:
        [one] = json.loads((await billhook(stack, "run", "status", "2026-10", "--json", **env)).stdout)
        return one["started_at"] is not None and one["started_by"] == "schedule"

    await assert_eventually(ran, patience_s=60)
    wrong = await billhook(
        stack, "schedule", "backfill", "billhook-reconcile", "--from", "2026-09", "--to", "2026-09", **env
    )
    assert (wrong.returncode, "bills no months" in wrong.stderr) == (Exit.USAGE, True)
    await asyncio.to_thread(Path(env["BILLHOOK_MOTIONS_FILE"]).write_text, "")

    async def removed() -> bool:
        return f"{schedule}: removed" in (await billhook(stack, "schedule", "apply", **env)).stdout

    await assert_eventually(removed, patience_s=60)
