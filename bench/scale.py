"""`make bench-scale`: full lifecycles per second with one and with two worker processes, on SQLite and on PostgreSQL.

In each of the four the bare workflow of the same shape (bench/bare.py) runs before and after, in as many processes and
on the same server, since this machine is never quite the same twice. In the first, what an open invoice holds in the
memory of a worker, and what it takes to bring an invoice back that a worker no longer holds. All of it runs on this
machine at once.
"""

import argparse
import asyncio
import math
import os
import signal
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from bench.lifecycle import CUSTOMER, Load, bare_rate, cpu_seconds, many
from records.session import Database
from records.sql import table
from records.tables import InvoiceRow
from starter.embedded import credentials
from starter.embedded.ports import Ports
from starter.embedded.stack import Stack
from starter.embedded.supervisor import Supervisor
from starter.embedded.tokens import database_of
from starter.embedded.up import running
from tests.drills.cluster import postgres, records_on

LOOK_AGAIN_S = 0.05
EMPTY_PAGES = 73
# A table and an index each have a page from the beginning.
_I = table(InvoiceRow)


class Scaled(Load):
    """The same load on whatever database the stack has."""

    def __init__(self, stack: Stack, api: httpx.AsyncClient, page: httpx.AsyncClient, database: Database) -> None:
        super().__init__(stack, api, page)
        self._database = database

    async def watch(self) -> None:
        while True:
            async with self._database.session() as session:
                rows = await session.execute(select(_I.c.key, _I.c.status, _I.c.link))
                self.seen = {row.key: (row.status, row.link) for row in rows}
            await asyncio.sleep(LOOK_AGAIN_S)

    async def open_one(self) -> str:
        """An invoice that waits for its recipient; the key."""
        key = await self._trigger()
        await self._until(key, {"sent"})
        return key


@dataclass(frozen=True)
class Row:
    database: str
    workers: int
    rate: float
    bare: tuple[float, float]
    cpu_ms: dict[str, float]

    @property
    def words(self) -> tuple[str, ...]:
        ratio = self.rate / statistics.mean(self.bare)
        bare = ", ".join(f"{one:.1f}" for one in self.bare)
        spent = ", ".join(f"{name} {used:.0f}" for name, used in self.cpu_ms.items())
        return self.database, str(self.workers), f"{self.rate:.1f}", bare, f"{ratio:.2f}", spent


@asynccontextmanager
async def loaded(workers: int, folder: Path) -> AsyncIterator[tuple[Scaled, Supervisor, Client]]:
    """The embedded stack with so many worker processes, and the load on it."""
    async with running(folder, Ports.free(), lambda _: None) as (stack, supervisor):
        own = next(part for part in stack.parts() if part.name == "worker")
        for number in range(2, workers + 1):
            await supervisor.start(replace(own, name=f"worker-{number}"))
        database = database_of(stack)
        headers = {"Authorization": f"Bearer {stack.secrets[credentials.TOKEN]}"}
        limits = httpx.Limits(max_connections=100)
        client = await Client.connect(stack.temporal_address, data_converter=pydantic_data_converter)
        async with (
            httpx.AsyncClient(base_url=stack.api_url, headers=headers, timeout=60, limits=limits) as api,
            httpx.AsyncClient(base_url=stack.jupiter_url, timeout=60, limits=limits) as page,
        ):
            (await api.put("/customers/bench", json=CUSTOMER)).raise_for_status()
            load = Scaled(stack, api, page, database)
            watching = asyncio.create_task(load.watch())
            try:
                yield load, supervisor, client
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                await database.close()


def spent(supervisor: Supervisor, workers: int) -> dict[str, float]:
    """Seconds of processor time so far, by part; nan where the system does not tell."""
    names = {"workers": ["worker", *(f"worker-{number}" for number in range(2, workers + 1))]}
    names |= {part: [part] for part in ("api", "temporal")}
    return {
        name: sum(cpu_seconds(supervisor.pid_of(part)) or math.nan for part in parts) for name, parts in names.items()
    }


async def rates(
    load: Scaled, supervisor: Supervisor, client: Client, name: str, workers: int, *, count: int, at_once: int
) -> Row:
    address = load.stack.temporal_address
    await many(workers * 4, at_once, load.lifecycle)
    before = await bare_rate(client, address, count, at_once, workers)
    began = spent(supervisor, workers)
    rate = await many(count, at_once, load.lifecycle)
    ended = spent(supervisor, workers)
    cpu_ms = {part: 1000 * (ended[part] - began[part]) / count for part in ended}
    return Row(name, workers, rate, (before, await bare_rate(client, address, count, at_once, workers)), cpu_ms)


def resident(pid: int) -> float:
    """MB of memory that a process holds. Raises OSError where the system does not tell."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def memory(load: Scaled, supervisor: Supervisor, client: Client, count: int) -> list[tuple[str, str]]:
    """Of the invoices that a worker holds, and of one that it has to read again."""
    before, keys = resident(supervisor.pid_of("worker")), []

    async def one() -> None:
        keys.append(await load.open_one())

    await many(count, 20, one)
    after = resident(supervisor.pid_of("worker"))
    histories = [await client.get_workflow_handle(key).fetch_history() for key in keys[:20]]
    sizes = [sum(event.ByteSize() for event in one.events) for one in histories]
    held = [await asked(client, key) for key in keys[:20]]
    await _replaced(supervisor)
    # The first wakes the new worker; those after it only have to be read.
    await asked(client, keys[-1])
    again = [await asked(client, key) for key in keys[:20]]
    return [
        ("worker's memory before, after", f"{before:.0f}, {after:.0f} MB with {count} invoices open"),
        ("memory for 1,000 open invoices in the cache", f"{1000 * (after - before) / count:.0f} MB"),
        ("records of an invoice", f"{records_kb(load):.1f} kB in SQLite"),
        ("history of an open invoice", f"{statistics.median(sizes) / 1000:.1f} kB"),
        ("a query of an invoice that the worker holds", f"{1000 * statistics.median(held):.0f} ms"),
        ("the same of one that it has to read again", f"{1000 * statistics.median(again):.0f} ms"),
    ]


def records_kb(load: Scaled) -> float:
    """Of each invoice that was triggered, on average, with its events and trail; an empty database counts nothing."""
    with closing(sqlite3.connect(f"file:{load.stack.data_dir / 'billhook.db'}?mode=ro", uri=True)) as records:
        pages, size = (records.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return float((pages - EMPTY_PAGES) * size / 1000 / len(load.triggered))


async def _replaced(supervisor: Supervisor) -> None:
    """The worker is killed, and another one is there that holds nothing."""
    old = new = supervisor.pid_of("worker")
    os.kill(old, signal.SIGKILL)
    while new == old:
        await asyncio.sleep(LOOK_AGAIN_S)
        with suppress(KeyError):
            new = supervisor.pid_of("worker")


async def asked(client: Client, key: str) -> float:
    """Seconds that a query of the invoice's present state takes."""
    began = time.perf_counter()
    await client.get_workflow_handle(key).query("snapshot")
    return time.perf_counter() - began


async def main(arguments: argparse.Namespace) -> None:
    rows: list[Row] = []
    further: list[tuple[str, str]] = []
    for name in ("SQLite", "PostgreSQL"):
        for workers in (1, 2):
            with ExitStack() as around:
                folder = around.enter_context(tempfile.TemporaryDirectory(prefix="billhook-bench-"))
                url = around.enter_context(postgres()) if name == "PostgreSQL" else None
                around.enter_context(records_on(url))
                async with loaded(workers, Path(folder)) as (load, supervisor, client):
                    count, at_once = arguments.invoices, arguments.at_once
                    row = await rates(load, supervisor, client, name, workers, count=count, at_once=at_once)
                    rows.append(row)
                    if not further:
                        further = await memory(load, supervisor, client, arguments.open)
            Console(stderr=True).print(f"{name}, {workers}: {rows[-1].words}")
    shown = Table(
        "records", "worker processes", "lifecycles/s", "bare workflows/s, before, after", "ratio", "CPU ms an invoice"
    )
    for row in rows:
        shown.add_row(*row.words)
    console = Console(width=130)
    console.print(f"{arguments.invoices} invoices, {arguments.at_once} at once, {os.cpu_count()} processors", shown)
    kept = Table("figure", "measured")
    for figure in further:
        kept.add_row(*figure)
    console.print(kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--invoices", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--open", type=int, default=300)
    asyncio.run(main(parser.parse_args()))
