"""kill -9: worker, API, sandbox and Temporal server die at random for minutes while invoices run through them.

The parts are those of `billhook up`, as processes on one data directory, started again on it after each SIGKILL.
Triggers, an approver and recipients go on over HTTP and know nothing of it. When the killing ends, every invoice must
end too, and the auditor must find nothing. Order and moments of the kills are drawn from the seed; what each of them
meets is the machine's affair, so a seed repeats the plan and not the race.

Long version: `drill(invoices=200, minutes=5, seed=1)`. Short: tests/drills/test_kill.py. With `cluster` the records are
on PostgreSQL, and two APIs and three workers die.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import select
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from audit.sources import Sources, read_mails
from records.sql import table
from records.tables import EventRow
from records.tokens import Scope
from starter.embedded import bookkeeping, credentials
from starter.embedded.stack import Stack
from starter.embedded.tokens import database_of, fresh_token
from tests.drills import cluster as of_cluster
from tests.drills.audited import findings
from tests.drills.kill_books import disagreements
from tests.drills.kill_parts import VICTIMS, Killable, Killing, kill_at_random, killable
from tests.drills.kill_people import ENDS, People, Plan, plans, play
from tests.drills.report import DrillReport
from tests.stack import assert_eventually

PATIENCE_S: Final = 300.0
# After the last kill: an activity whose worker died is only given up after its start-to-close timeout of 30 s, and a
# redelivery of the sandbox's may be a minute away.
CUSTOMERS: Final = 10
_V = table(EventRow)


async def drill(
    *, invoices: int = 200, minutes: float = 5.0, seed: int = 1, killing: Killing | None = None, cluster: bool = False
) -> DrillReport:
    """Violations: an invoice that does not end, and whatever the audit finds."""
    began, report = time.monotonic(), DrillReport("kill", [seed], invoices=invoices)
    victims, parts = (of_cluster.VICTIMS, of_cluster.parts) if cluster else (VICTIMS, Stack.parts)
    draw, killing = random.Random(seed), killing or Killing(minutes * 60, victims)
    with ExitStack() as around:
        name = around.enter_context(tempfile.TemporaryDirectory(prefix="billhook-kill-"))
        around.enter_context(of_cluster.records_on(around.enter_context(of_cluster.postgres()) if cluster else None))
        async with killable(Path(name), parts) as running:
            planned = plans(invoices, [f"customer-{number}" for number in range(CUSTOMERS)], draw)
            seen, people = await _played(running, planned, killing, draw)
            report.violations += await _unended(running, planned, seen)
            report.violations += await _events_on_their_way(running)
            report.violations += await disagreements(running.stack, seen, await truth_of(running))
            report.violations += await _audited(running)
            await _count(report, running, people, seen)
    report.seconds = time.monotonic() - began
    return report


async def _played(
    running: Killable, planned: list[Plan], killing: Killing, draw: random.Random
) -> tuple[dict[str, dict[str, Any]], People]:
    stack = running.stack
    systems = _bearer(await fresh_token(stack, "drill-systems", [Scope.TRIGGER, Scope.READ]))
    approver = _bearer(await fresh_token(stack, "drill-approver", [Scope.APPROVE, Scope.READ]))
    # Where there is a second API people use that one, while webhooks come to the first.
    second = running.keepers.get("api-2")
    people = People(of_cluster.address_of(second.part) if second else stack.api_url, systems, approver)
    async with people.http:
        await _customers(people, stack.api_url, _bearer(stack.secrets[credentials.TOKEN]))
        killer = asyncio.create_task(_killed(running, killing, draw))
        # The last trigger comes when a fifth of the killing is left.
        seen = await play(people, planned, killing.seconds * 0.8, killing.seconds * 0.2 + PATIENCE_S)
        await killer
        # Somebody may have been asked while his part was down: a last look at the end.
        return await people.all_invoices() or seen, people


async def _killed(running: Killable, killing: Killing, draw: random.Random) -> None:
    await kill_at_random(running, killing, draw)
    await running.well()


async def _customers(people: People, api_url: str, admin: dict[str, str]) -> None:
    for number in range(CUSTOMERS):
        name = f"customer-{number}"
        body = {"name": f"Customer {number}", "email": f"ap@{name}.example", "segment": "standard", "currency": "USD"}
        answer = await people.http.put(f"{api_url}/customers/{name}", json=body, headers=admin)
        assert answer.is_success, answer.text


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _unended(running: Killable, planned: list[Plan], seen: dict[str, dict[str, Any]]) -> list[str]:
    client = await Client.connect(running.stack.temporal_address, data_converter=pydantic_data_converter)
    wrong = []
    for plan in planned:
        found = seen.get(plan.key, {"status": "unknown", "waiting_for": "its trigger"})
        if found["status"] not in ENDS:
            words = f"it is {found['status']}, waiting for: {found['waiting_for']}"
            wrong.append(f"{plan.key} did not end: {words}; {await _under_way(client, plan.key)}")
    return wrong


async def _under_way(client: Client, key: str) -> str:
    """What the engine says of it."""
    try:
        described = (await client.get_workflow_handle(key).describe()).raw_description
    except RPCError as error:
        return f"Temporal says {error.message}"
    steps = [
        f"{one.activity_type.name} {one.attempt} times, {one.state}, last {one.last_failure.message[:200]!r}, again at"
        f" {one.scheduled_time.ToJsonString()}"
        for one in described.pending_activities
    ]
    task = f"a workflow task, tried {described.pending_workflow_task.attempt} times; " * described.HasField(
        "pending_workflow_task"
    )
    return f"under way at Temporal: {task}{', '.join(steps) or 'no step'}"


async def _events_on_their_way(running: Killable) -> list[str]:
    """Waits until each event of the API's has come to us and has its fate; what has none in the end."""

    async def is_settled() -> bool:
        return not await _unsettled(running)

    try:
        await assert_eventually(is_settled, PATIENCE_S)
    except AssertionError:
        return [f"event {event} of the API's is {fate}" for event, fate in (await _unsettled(running)).items()]
    return []


async def _audited(running: Killable) -> list[str]:
    stack, as_of = running.stack, datetime.now(UTC)
    client = await Client.connect(stack.temporal_address, data_converter=pydantic_data_converter)
    database = database_of(stack)
    try:
        mails = await asyncio.to_thread(read_mails, stack.data_dir / "mail")
        truth, ledger = await truth_of(running), bookkeeping.journal(stack)
        return await findings(Sources(database, truth, ledger, mails, client, as_of))
    finally:
        await database.close()


async def _unsettled(running: Killable) -> dict[str, str]:
    truth = await truth_of(running)
    fates = await _fates(running)
    found = {event["id"]: fates.get(event["id"], "unknown here") for event in truth["events"]}
    return {event: fate for event, fate in found.items() if fate not in {"applied", "ignored"}}


async def truth_of(running: Killable) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        answer = await client.get(f"{running.stack.jupiter_url}/_sandbox/audit")
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


async def _fates(running: Killable) -> dict[str, str]:
    database = database_of(running.stack)
    try:
        async with database.session() as session:
            return {row.id: row.fate for row in await session.execute(select(_V.c.id, _V.c.fate))}
    finally:
        await database.close()


async def _count(report: DrillReport, running: Killable, people: People, seen: dict[str, dict[str, Any]]) -> None:
    report.faults += running.kills
    report.events += Counter((await _fates(running)).values())
    ends = Counter(one["status"] for one in seen.values())
    report.facts["ends"] = ", ".join(f"{count} {status}" for status, count in sorted(ends.items()))
    report.facts["people heard no answer"] = str(people.answers[0])
    parked = sum(any(entry["kind"] == "failed" for entry in one["timeline"]) for one in seen.values())
    report.facts["invoices that were parked on their way"] = str(parked)
    itself = {name: keeper.ended_itself for name, keeper in running.keepers.items() if keeper.ended_itself}
    report.facts["ends that were no kill of ours"] = str(itself or "none")
