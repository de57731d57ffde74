"""Full invoice lifecycles on the embedded stack, beside a bare workflow of the same shape in the same run.

    python -m bench.lifecycle [--invoices 200] [--at-once 20] [--idle 20]

Everything runs on this machine at once: Temporal, sandbox, mail sink, worker, API and this load. Only figures measured
in this run are printed; clocks are compared only within this machine.
"""

import argparse
import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from bench import bare
from bench.budget import billed_actions
from starter.embedded import credentials
from starter.embedded.ports import Ports
from starter.embedded.stack import Stack
from starter.embedded.supervisor import Supervisor
from starter.embedded.up import running

CUSTOMER = {"name": "Bench Ltd", "email": "ap@bench.example", "segment": "standard", "currency": "USD"}


@dataclass
class Load:
    """The stack under load, and what was seen: when each trigger was sent, by key."""

    stack: Stack
    api: httpx.AsyncClient
    page: httpx.AsyncClient
    triggered: dict[str, float] = field(default_factory=dict)
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def lifecycle(self, *, step_by_step: bool = False) -> str:
        """One milestone from its trigger to billed; the key."""
        key = await self._trigger()
        link = await self._until(key, {"sent"})
        headers = {"Accept": "application/json", "User-Agent": "Mozilla/5.0"}
        (await self.page.get(link, headers=headers)).raise_for_status()
        if step_by_step:
            await self._until(key, {"viewed"})
        form = {"po_number": "PO-1", "billing_entity": "Bench Holding"}
        (await self.page.post(f"{link}/amend", data=form, headers=headers)).raise_for_status()
        if step_by_step:
            await asyncio.sleep(0.2)
        (await self.page.post(f"{link}/approve", data={"version": "1"}, headers=headers)).raise_for_status()
        await self._until(key, {"billed"})
        return key

    async def watch(self) -> None:
        """One reader for all: a poll per invoice would be load of its own."""
        with closing(sqlite3.connect(f"file:{self.stack.data_dir / 'billhook.db'}?mode=ro", uri=True)) as records:
            while True:
                rows = records.execute("SELECT key, status, link FROM invoices").fetchall()
                self.seen = {key: (status, link) for key, status, link in rows}
                await asyncio.sleep(0.02)

    async def _trigger(self) -> str:
        name = uuid.uuid4().hex[:12]
        body = {
            "event_id": name,
            "occurred_at": "2026-10-14T09:30:00Z",
            "project_id": f"bench_{name}",
            "milestone_id": "m1",
            "customer_id": "bench",
            "description": "Design approved",
            "amount": "1250.00",
            "currency": "USD",
            "deal_id": f"deal_{name}",
        }
        started = time.time()
        answer = await self.api.post("/triggers/milestone", json=body)
        answer.raise_for_status()
        key: str = answer.json()["key"]
        self.triggered[key] = started
        return key

    async def _until(self, key: str, wanted: set[str]) -> str:
        async with asyncio.timeout(120):
            while self.seen.get(key, ("", ""))[0] not in wanted:
                await asyncio.sleep(0.01)
        return self.seen[key][1]


async def many(count: int, at_once: int, one: Callable[[], Awaitable[Any]]) -> float:
    """`count` times `one`, at most `at_once` at a time; how many per second."""
    gate = asyncio.Semaphore(at_once)

    async def gated() -> None:
        async with gate:
            await one()

    started = time.perf_counter()
    await asyncio.gather(*(gated() for _ in range(count)))
    return count / (time.perf_counter() - started)


async def bare_rate(client: Client, address: str, count: int, at_once: int, workers: int = 1) -> float:
    """Bare workflows per second, in so many worker processes of their own."""
    command = (sys.executable, "-m", "bench.bare", address)
    processes = [await asyncio.create_subprocess_exec(*command) for _ in range(workers)]

    async def one() -> None:
        handle = await client.start_workflow(bare.BareWorkflow.run, id=f"bare-{uuid.uuid4()}", task_queue=bare.QUEUE)
        for number in range(len(bare.AFTER_SIGNAL)):
            await handle.signal(bare.BareWorkflow.proceed, number)
        await handle.result()

    try:
        await many(at_once, at_once, one)
        return await many(count, at_once, one)
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


def cpu_seconds(pid: int) -> float | None:
    """User and system time of a process and its children so far; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentiles(milliseconds: Iterable[float]) -> str:
    """`p50 / p99` in milliseconds."""
    found = sorted(milliseconds)
    if not found:
        return "not measured"
    return f"{statistics.median(found):.0f} / {found[min(len(found) - 1, int(len(found) * 0.99))]:.0f} ms"


async def delays(load: Load, keys: set[str]) -> tuple[list[float], list[float]]:
    """Trigger to issued at the API, and approval there to the deal billed here, in milliseconds."""
    audit = (await load.page.get("/_sandbox/audit")).json()
    times = {
        (event["data"]["reference"], event["type"]): datetime.fromisoformat(event["created_at"]).timestamp()
        for event in audit["events"]
    }
    with closing(sqlite3.connect(f"file:{load.stack.data_dir / 'billhook.db'}?mode=ro", uri=True)) as records:
        rows = records.execute("SELECT key, billed_at FROM deals WHERE billed_at IS NOT NULL").fetchall()
    billed = {key: datetime.fromisoformat(f"{at}+00:00").timestamp() for key, at in rows}
    to_sent = [1000 * (times[key, "invoice.sent"] - load.triggered[key]) for key in keys]
    to_effect = [1000 * (billed[key] - times[key, "invoice.approved"]) for key in keys]
    return to_sent, to_effect


async def budget(client: Client, keys: Iterable[str]) -> list[tuple[str, str]]:
    """History events, bytes and billed actions per invoice, over the idle ones."""
    histories = [await client.get_workflow_handle(key).fetch_history() for key in keys]
    events = [len(history.events) for history in histories]
    size = [sum(event.ByteSize() for event in history.events) for history in histories]
    actions = [billed_actions(history) for history in histories]
    return [
        ("history events per invoice", f"{statistics.median(events):.0f} (most {max(events)})"),
        ("history bytes per invoice", f"{statistics.median(size):.0f} (most {max(size)})"),
        ("billed actions per invoice", f"{statistics.median(actions):.0f} (most {max(actions)})"),
    ]


async def measure(load: Load, supervisor: Supervisor, arguments: argparse.Namespace) -> list[tuple[str, str]]:
    client = await Client.connect(load.stack.temporal_address, data_converter=pydantic_data_converter)
    count, at_once = arguments.invoices, arguments.at_once
    await load.lifecycle()
    idle = {await load.lifecycle(step_by_step=True) for _ in range(arguments.idle)}
    before = await bare_rate(client, load.stack.temporal_address, count, at_once)
    cpu = cpu_seconds(supervisor.pid_of("worker"))
    known = set(load.triggered)
    rate = await many(count, at_once, load.lifecycle)
    spent = cpu_seconds(supervisor.pid_of("worker"))
    after = await bare_rate(client, load.stack.temporal_address, count, at_once)
    loaded = set(load.triggered) - known
    idle_sent, idle_effect = await delays(load, idle)
    loaded_sent, loaded_effect = await delays(load, loaded)
    per_invoice = "not measured here" if cpu is None or spent is None else f"{1000 * (spent - cpu) / count:.1f} ms"
    return [
        ("invoices", f"{count}, {at_once} at once"),
        ("lifecycles per second", f"{rate:.1f}"),
        ("bare workflows per second, before and after", f"{before:.1f}, {after:.1f}"),
        ("ratio to the bare workflow", f"{rate / statistics.mean([before, after]):.2f}"),
        ("trigger to sent, idle, p50 / p99", percentiles(idle_sent)),
        ("trigger to sent, loaded, p50 / p99", percentiles(loaded_sent)),
        ("approval to deal billed, idle, p50 / p99", percentiles(idle_effect)),
        ("approval to deal billed, loaded, p50 / p99", percentiles(loaded_effect)),
        *await budget(client, sorted(idle)),
        ("worker CPU per invoice", per_invoice),
    ]


async def main(arguments: argparse.Namespace) -> None:
    talk = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="billhook-bench-") as folder:
        async with running(Path(folder), Ports.free(), talk.print) as (stack, supervisor):
            token = stack.secrets[credentials.TOKEN]
            limits = httpx.Limits(max_connections=100)
            async with (
                httpx.AsyncClient(
                    base_url=stack.api_url, headers={"Authorization": f"Bearer {token}"}, timeout=60, limits=limits
                ) as api,
                httpx.AsyncClient(base_url=stack.jupiter_url, timeout=60, limits=limits) as page,
            ):
                (await api.put("/customers/bench", json=CUSTOMER)).raise_for_status()
                load = Load(stack, api, page)
                watching = asyncio.create_task(load.watch())
                try:
                    figures = await measure(load, supervisor, arguments)
                finally:
                    watching.cancel()
    table = Table("figure", "measured", title="Full invoice lifecycles")
    for name, value in figures:
        table.add_row(name, value)
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--invoices", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--idle", type=int, default=20)
    asyncio.run(main(parser.parse_args()))
