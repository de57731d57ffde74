"""How long a milestone takes to be sent, idle and while a run works, on the embedded stack: what a run costs the rest.

    python -m bench.fairness [--triggers 60] [--invoices 300] [--most-open 1]

A monthly run bills that many subscriptions. Milestones are triggered one after the other over HTTP, half of the idle
ones before the run and half after it, the others while it works; of those, only such count as were sent while the run
still had invoices to send. From the trigger to the time at which the invoicing API says that it issued; both clocks are
this machine's. Only what was measured in this run is printed. Ends with 1 where the 95th percentile is over three times
the idle one.
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.groups import BillingGroup
from settings import Settings
from starter import runs
from starter.embedded import credentials
from starter.embedded.ports import Ports
from starter.embedded.stack import Stack
from starter.embedded.up import running

CUSTOMERS = 50
# The run's invoices are spread over them; the milestones are one more's.
GROUP = BillingGroup(name="bench", zone="UTC")
PERIOD = "2026-10"
PAUSE_S = (0.05, 0.25)
# Between two milestones, drawn from the seed, so that none keeps step with the run.
ALLOWED = 3.0
# Times the idle 95th percentile.


@dataclass
class Bench:
    """The stack, and the ways in that are used here."""

    stack: Stack
    api: httpx.AsyncClient
    page: httpx.AsyncClient
    client: Client
    draw: random.Random

    def rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(f"file:{self.stack.data_dir / 'billhook.db'}?mode=ro", uri=True)) as records:
            return records.execute(query, values).fetchall()

    def sent_of_run(self) -> int:
        found = self.rows("SELECT count(*) FROM invoices WHERE key GLOB 'invoice:sub_*' AND status = 'sent'")
        return int(found[0][0])

    async def customers(self) -> None:
        for number in range(CUSTOMERS + 1):
            body = {"name": f"Bench {number}", "email": f"ap@bench-{number}.example", "currency": "USD"}
            answer = await self.api.put(f"/customers/bench-{number}", json={"segment": "standard", **body})
            answer.raise_for_status()

    async def milestone(self) -> tuple[str, float]:
        """Triggered and followed to `sent`; its key, and when it was triggered."""
        name = uuid.uuid4().hex[:12]
        body = {
            "event_id": name,
            "occurred_at": "2026-10-14T09:30:00Z",
            "project_id": f"bench_{name}",
            "milestone_id": "m1",
            "customer_id": f"bench-{CUSTOMERS}",
            "description": "Design approved",
            "amount": "1250.00",
            "currency": "USD",
        }
        began = time.time()
        answer = await self.api.post("/triggers/milestone", json=body)
        answer.raise_for_status()
        key: str = answer.json()["key"]
        async with asyncio.timeout(120):
            while self.rows("SELECT status FROM invoices WHERE key = ?", key) != [("sent",)]:
                await asyncio.sleep(0.02)
        return key, began

    async def milestones(self, count: int, goes_on: Callable[[], bool]) -> dict[str, float]:
        """Up to `count`, one after the other, by key; the one after which it no longer goes on is left out."""
        found: dict[str, float] = {}
        while len(found) < count:
            key, began = await self.milestone()
            if not goes_on():
                return found
            found[key] = began
            await asyncio.sleep(self.draw.uniform(*PAUSE_S))
        return found

    async def subscriptions(self, count: int) -> None:
        for number in range(count):
            body = {
                "customer_id": f"bench-{number % CUSTOMERS}",
                "billing_group": GROUP.name,
                "currency": "USD",
                "started_on": "2026-01-01",
                "charges": [{"meter": "seats", "model": "flat", "amount": "100.00"}],
            }
            answer = await self.api.put(f"/subscriptions/sub_{number}", json=body)
            answer.raise_for_status()

    async def run(self, most_open: int) -> None:
        """The month of every subscription, started as `billhook run start` does."""
        settings = Settings(task_queue=self.stack.task_queue, run_most_open=most_open)
        await runs.start(self.client, settings, GROUP, PERIOD, by="bench", now=datetime.now(UTC))

    async def milliseconds(self, triggered: dict[str, float]) -> list[float]:
        """From each trigger to the invoicing API's own time of issue."""
        told = (await self.page.get("/_sandbox/audit")).json()["events"]
        issued = {
            one["data"]["reference"]: datetime.fromisoformat(one["created_at"]).timestamp()
            for one in told
            if one["type"] == "invoice.sent"
        }
        return [1000 * (issued[key] - began) for key, began in triggered.items()]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(bench: Bench, arguments: argparse.Namespace) -> tuple[list[tuple[str, str]], float]:
    """The figures, and how many times the idle 95th percentile a run makes it."""
    await bench.customers()
    await bench.subscriptions(arguments.invoices)
    await bench.milestones(5, lambda: True)
    idle = await bench.milliseconds(await bench.milestones(arguments.triggers // 2, lambda: True))
    began, before = time.perf_counter(), bench.sent_of_run()
    await bench.run(arguments.most_open)
    while bench.sent_of_run() == before:
        await asyncio.sleep(0.05)
    busy = await bench.milestones(arguments.triggers, lambda: bench.sent_of_run() < arguments.invoices)
    sent, took = bench.sent_of_run(), time.perf_counter() - began
    while bench.sent_of_run() < arguments.invoices:
        await asyncio.sleep(0.5)
    idle += await bench.milliseconds(await bench.milestones(arguments.triggers // 2, lambda: True))
    loaded = await bench.milliseconds(busy)
    p95 = percentile(loaded, 0.95) / percentile(idle, 0.95)
    p50 = statistics.median(loaded) / statistics.median(idle)
    return [
        ("milestones, idle / while the run worked", f"{len(idle)} / {len(loaded)}"),
        ("the run's invoices sent meanwhile", f"{sent} of {arguments.invoices}, {3600 * sent / took:.0f} an hour"),
        ("trigger to sent, idle, p50 / p95", spelled(idle)),
        ("trigger to sent, while the run worked, p50 / p95", spelled(loaded)),
        ("ratio, p50 / p95", f"{p50:.2f} / {p95:.2f}"),
        (f"p95 within {ALLOWED:g} times the idle one", "yes" if p95 <= ALLOWED else "no"),
    ], p95


def spelled(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} / {percentile(values, 0.95):.0f} ms"


async def main(arguments: argparse.Namespace) -> int:
    talk = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="billhook-bench-") as folder:
        motions = Path(folder) / "motions.toml"
        motions.write_text(f'[[billing_groups]]\nname = "{GROUP.name}"\nzone = "{GROUP.zone}"\n')
        os.environ["BILLHOOK_MOTIONS_FILE"] = str(motions)
        async with running(Path(folder), Ports.free(), talk.print) as (stack, _):
            client = await Client.connect(stack.temporal_address, data_converter=pydantic_data_converter)
            headers = {"Authorization": f"Bearer {stack.secrets[credentials.TOKEN]}"}
            async with (
                httpx.AsyncClient(base_url=stack.api_url, headers=headers, timeout=60) as api,
                httpx.AsyncClient(base_url=stack.jupiter_url, timeout=60) as page,
            ):
                bench = Bench(stack, api, page, client, random.Random(arguments.seed))  # noqa: S311
                figures, ratio = await measure(bench, arguments)
    table = Table("figure", "measured", title="A milestone beside a run")
    for name, value in figures:
        table.add_row(name, value)
    Console().print(table)
    return 0 if ratio <= ALLOWED else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triggers", type=int, default=60)
    parser.add_argument("--invoices", type=int, default=300)
    parser.add_argument("--most-open", type=int, default=1, help="on their way when the run begins more")
    parser.add_argument("--seed", type=int, default=20)
    sys.exit(asyncio.run(main(parser.parse_args())))
