"""A monthly run on the embedded stack whose worker is killed in the middle: one invoice each, and how fast.

    python -m bench.run [--subscriptions 2000] [--most-open 50]

When half of the invoices are started the worker is killed with -9; the stack starts it again, as it does for everybody.
Then the run is started once more, which must start nothing. Only what was measured in this run is printed. Ends with 1
where an invoice is missing or is there twice, or a number is.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from activities import signatures
from billing import keys
from billing.groups import BillingGroup, month_before
from billing.metering import UsageEvent
from billing.plans import SubscriptionBody
from billing.run_status import RunStatus
from records.customers import CustomerBody, put_customer
from records.metering import take
from records.session import Database
from records.subscriptions import put_subscription
from settings import Settings
from starter import runs
from starter.embedded.ports import Ports
from starter.embedded.stack import Stack
from starter.embedded.supervisor import Supervisor
from starter.embedded.tokens import database_of
from starter.embedded.up import running

GROUP: Final = BillingGroup(name="bench", zone="UTC")
PER_CUSTOMER: Final = 10
# Subscriptions of one customer, who takes turns with the others.
AT_ONCE: Final = 200
# Written in one transaction.
SAMPLE: Final = 100
# Histories that are read for the time at the provider; evenly spread over the run.
LOOK_AGAIN_S: Final = 0.25
AT_PROVIDER: Final = frozenset({signatures.CREATE_DRAFT.name, signatures.PATCH_DRAFT.name, signatures.ISSUE.name})

Measured = tuple[list[tuple[str, str]], list[str]]


@dataclass
class Bench:
    """The stack, and the ways in that are used here."""

    stack: Stack
    supervisor: Supervisor
    database: Database
    client: Client
    period: str

    async def fill(self, count: int) -> None:
        for first in range(0, count, AT_ONCE):
            names = [f"sub-{number:05}" for number in range(first, min(count, first + AT_ONCE))]
            async with self.database.transaction() as s:
                for number, name in enumerate(names, start=first):
                    await _put(s, name, f"customer-{number // PER_CUSTOMER}")
                at = f"{self.period}-14T12:00:00Z"
                events = [
                    UsageEvent.of(
                        {"event_id": name, "subscription_id": name, "meter": "calls", "quantity": "1000", "at": at}
                    )
                    for name in names
                ]
                await take(s, events, {GROUP.name: GROUP}, datetime.now(UTC))

    async def start(self) -> None:
        """Raises RuntimeError where one is under way."""
        settings = Settings(task_queue=self.stack.task_queue)
        started = await runs.start(self.client, settings, GROUP, self.period, by="bench", now=datetime.now(UTC))
        if not started.created:
            raise RuntimeError(f"{started.workflow_id} is under way")

    async def ended(self) -> None:
        await self.client.get_workflow_handle(keys.run_id(GROUP.name, self.period)).result()

    async def status(self) -> RunStatus | None:
        return await runs.status(self.database, GROUP.name, self.period, datetime.now(UTC))

    async def until(self, true_of: Callable[[RunStatus], bool], patience_s: float) -> RunStatus:
        """Raises TimeoutError, with what was seen last."""
        found, give_up_at = await self.status(), time.monotonic() + patience_s
        while found is None or not true_of(found):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"it never came so far: {found}")
            await asyncio.sleep(LOOK_AGAIN_S)
            found = await self.status()
        return found


async def _put(s: Any, name: str, customer: str) -> None:
    body = {"name": customer, "email": f"ap@{customer}.example", "segment": "standard", "currency": "USD"}
    await put_customer(s, customer, CustomerBody.model_validate(body))
    charge = {"meter": "calls", "model": "per_unit", "unit_price": "0.01"}
    plan = {"customer_id": customer, "billing_group": GROUP.name, "currency": "USD", "started_on": date(2024, 1, 1)}
    await put_subscription(s, name, SubscriptionBody.model_validate(plan | {"charges": [charge]}))


async def issued(stack: Stack) -> tuple[Counter[str], list[int]]:
    """How often each key was issued at the invoicing API, and the numbers that it gave."""
    async with httpx.AsyncClient(base_url=stack.jupiter_url, timeout=120) as page:
        truth = (await page.get("/_sandbox/audit")).raise_for_status().json()
    numbers = [re.search(r"(\d+)$", one["number"]) for one in truth["invoices"] if one.get("number")]
    found = Counter(str(one["data"]["reference"]) for one in truth["events"] if one["type"] == "invoice.sent")
    return found, sorted(int(one.group(1)) for one in numbers if one)


async def at_provider(client: Client, issued_keys: list[str]) -> float:
    """Of an invoice's time from its start to the end of its last call at the invoicing API: the part that it spent in
    such calls or in line for them, over the sampled ones together."""
    spent = whole = 0.0
    for key in issued_keys[:: max(1, len(issued_keys) // SAMPLE)]:
        waited, took = _times(await client.get_workflow_handle(key).fetch_history())
        spent, whole = spent + waited, whole + took
    return spent / whole if whole else 0.0


def _times(history: WorkflowHistory) -> tuple[float, float]:
    began = history.events[0].event_time.ToDatetime()
    scheduled, waited, ended = {}, 0.0, began
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            planned = event.activity_task_scheduled_event_attributes
            if planned.activity_type.name in AT_PROVIDER:
                scheduled[event.event_id] = event.event_time.ToDatetime()
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            of = event.activity_task_completed_event_attributes.scheduled_event_id
            if of in scheduled:
                ended = event.event_time.ToDatetime()
                waited += (ended - scheduled[of]).total_seconds()
    return waited, (ended - began).total_seconds()


async def measure(bench: Bench, count: int) -> Measured:
    """Figures, and what is wrong."""
    patience_s = 120 + 2.0 * count
    await bench.fill(count)
    await bench.start()
    half = await bench.until(lambda run: run.started >= count // 2, patience_s)
    os.kill(bench.supervisor.pid_of("worker"), signal.SIGKILL)
    done = await bench.until(lambda run: run.finished_at is not None and not run.on_the_way, patience_s)
    took = (done.at - done.started_at).total_seconds()
    await bench.ended()
    events = await _history_events(bench)
    await bench.start()
    again = await bench.until(lambda run: run.finished_at is not None and run.standing == count, patience_s)
    found, numbers = await issued(bench.stack)
    wanted = {f"invoice:sub-{number:05}:{bench.period}" for number in range(count)}
    figures = [
        ("invoices", f"{sum(found.values())} of {count}"),
        ("started when the worker was killed", str(half.started)),
        ("invoices per hour, the worker's death included", f"{3600 * count / took:,.0f}"),
        ("time at the invoicing API, in calls and in line", f"{await at_provider(bench.client, sorted(found)):.0%}"),
        ("time in which the run held back", f"{done.held_share or 0:.0%}"),
        ("events in the run's own history", str(events)),
    ]
    return figures, _wrong(found, numbers, wanted, again)


def _wrong(found: Counter[str], numbers: list[int], wanted: set[str], again: RunStatus) -> list[str]:
    twice = [key for key, times in found.items() if times > 1]
    checks = {
        f"missing: {sorted(wanted - found.keys())[:5]}": wanted <= found.keys(),
        f"nobody's: {sorted(found.keys() - wanted)[:5]}": found.keys() <= wanted,
        f"issued twice: {twice[:5]}": not twice,
        f"numbers have a gap or come twice: {len(numbers)} from {numbers[:1]} to {numbers[-1:]}": (
            numbers == list(range(numbers[0], numbers[0] + len(wanted))) if numbers else False
        ),
        f"the run that was started again registered {again.billed - again.standing}": again.billed == again.standing,
    }
    return [words for words, is_right in checks.items() if not is_right]


async def _history_events(bench: Bench) -> int:
    """Over all of the run's continuations."""
    found = 0
    async for run in bench.client.list_workflows(f"WorkflowId = 'run:{GROUP.name}:{bench.period}'"):
        history = await bench.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        found += len(history.events)
    return found


async def benched(folder: Path, count: int, say: Callable[[str], Any]) -> Measured:
    motions = folder / "motions.toml"
    motions.write_text(f'[[billing_groups]]\nname = "{GROUP.name}"\nzone = "{GROUP.zone}"\n')
    os.environ["BILLHOOK_MOTIONS_FILE"] = str(motions)
    async with running(folder, Ports.free(), say) as (stack, supervisor):
        database = database_of(stack)
        client = await Client.connect(stack.temporal_address, data_converter=pydantic_data_converter)
        period = month_before(GROUP.month_of(datetime.now(UTC)))
        return await _closing(database, measure(Bench(stack, supervisor, database, client, period), count))


async def _closing(database: Database, work: Awaitable[Measured]) -> Measured:
    try:
        return await work
    finally:
        await database.close()


def main(arguments: argparse.Namespace) -> int:
    os.environ["BILLHOOK_RUN_MOST_OPEN"] = str(arguments.most_open)
    talk = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="billhook-bench-", ignore_cleanup_errors=True) as folder:
        figures, wrong = asyncio.run(benched(Path(folder), arguments.subscriptions, talk.print))
    table = Table("figure", "measured", title="A monthly run whose worker is killed with -9 in the middle")
    for name, value in figures:
        table.add_row(name, value)
    Console().print(table)
    for words in wrong:
        talk.print(f"wrong: {words}")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscriptions", type=int, default=2000)
    parser.add_argument("--most-open", type=int, default=50)
    sys.exit(main(parser.parse_args()))
