"""A month's usage of 10,000 subscriptions with 5 million events: how long its computation takes, in how much memory.

    python -m bench.usage [--subscriptions 10000] [--events 5000000]

On SQLite in WAL mode and on a PostgreSQL as a server runs by default. The records are filled by statements of SQL and
not through the door: events, and from them the sums that the door would have kept (docs/decisions/0016). The time that
takes is in none of the figures. A second billing group has a tenth of the subscriptions, to show what grows.

Each figure comes from a process of its own that does nothing else. "computed": page by page of 500 the active
subscriptions, their month closed, summed and built. "as a run": what a run's worker does, with all of the worker's
modules loaded: closed, built, registered and noted in chunks of 50, no engine behind it. Beside them bare statements
that only sum: over the events, and over the kept sums. "Peak" is the most memory that the process ever held, "loaded"
what it held before it began. Only figures of this run are printed.
"""

import argparse
import asyncio
import json
import re
import resource
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import String, case, cast, func, insert, literal, select, text
from sqlalchemy import Table as SqlTable
from sqlalchemy.ext.asyncio import AsyncSession

from bench.intake import TALK, opened, postgres
from billing.intent import Intent
from billing.plans import SubscriptionBody
from records import runs, subscriptions, usage
from records.customers import CustomerBody, put_customer
from records.session import Database
from records.sql import table
from records.usage_tables import SubscriptionRow, UsageEventRow, UsageTotalRow
from settings import async_url

PERIOD: Final = "2026-10"
BEFORE: Final = "2026-09"
AT: Final = datetime(2026, 10, 14, 9, 30, tzinfo=UTC)
RUN_AT: Final = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
GROUPS: Final = {"all": 1, "tenth": 10}
# By name, which part of the subscriptions is in it.
PAGE: Final = 500
CHUNK: Final = 50
AT_ONCE: Final = 250_000
CUSTOMERS: Final = 100
CHARGES: Final = [
    {
        "meter": "api",
        "model": "graduated",
        "included": "1000",
        "tiers": [{"up_to": "10000", "unit_price": "0.02"}, {"unit_price": "0.01"}],
    },
    {"meter": "gb", "model": "volume", "tiers": [{"up_to": "5000", "unit_price": "0.10"}, {"unit_price": "0.08"}]},
    {"meter": "seats", "model": "per_unit", "unit_price": "0.25", "minimum": "10.00"},
]
_HIGHEST: Final = re.compile(r"VmHWM:\s+([0-9]+) kB")
_S, _E, _T = table(SubscriptionRow), table(UsageEventRow), table(UsageTotalRow)


@dataclass(frozen=True)
class Seen:
    """One process's work: seconds, what came of it, and its memory in megabytes."""

    seconds: float
    made: int
    loaded: float
    peak: float

    def cells(self) -> list[str]:
        return [f"{self.made:,}", f"{self.seconds:.2f}", f"{self.loaded:.0f}", f"{self.peak:.0f}"]


async def filled(url: str, arguments: argparse.Namespace) -> None:
    """Customers, subscriptions of both groups, their events and sums."""
    begins = perf_counter()
    database = Database(async_url(url))
    await database.upgrade()
    async with database.transaction() as session:
        for number in range(CUSTOMERS):
            body = {"name": f"Customer {number} GmbH", "email": f"ap@c{number}.example", "currency": "USD"}
            await put_customer(session, f"customer_{number}", CustomerBody.model_validate(body))
    for group, part in GROUPS.items():
        await _subscribed(database, group, arguments.subscriptions // part)
        await _used(database, group, arguments.subscriptions // part, arguments.events // part)
    await _summed(database)
    await database.close()
    TALK.print(f"filled in {perf_counter() - begins:.0f} s")


async def _subscribed(database: Database, group: str, count: int) -> None:
    """By the ids that `_used` gives its events."""
    body = {"billing_group": group, "currency": "USD", "started_on": "2026-01-01", "charges": CHARGES}
    checked = SubscriptionBody.model_validate(body | {"customer_id": "customer_0"})
    values = {**checked.model_dump(), "charges": checked.model_dump(mode="json")["charges"]}
    values |= {"created_at": AT, "updated_at": AT}
    rows = [
        values | {"id": f"{group}_{10_000_000 + number}", "customer_id": f"customer_{number % CUSTOMERS}"}
        for number in range(count)
    ]
    async with database.transaction() as session:
        for begin in range(0, count, CHUNK * 10):
            await session.execute(insert(_S), rows[begin : begin + CHUNK * 10])


async def _used(database: Database, group: str, subscribed: int, events: int) -> None:
    """So many events, each subscription's one after another; one in a hundred was used the month before."""
    each = -(-events // subscribed)
    for begin in range(0, events, AT_ONCE):
        async with database.transaction() as session:
            await _written(session, group, each, begin, min(begin + AT_ONCE, events))


async def _written(session: AsyncSession, group: str, each: int, begin: int, end: int) -> None:
    numbers = select(literal(begin).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n + 1 < end))
    n = numbers.c.n
    columns = {
        "event_id": literal(f"{group}_") + cast(n + 1_000_000_000, String),
        "subscription_id": literal(f"{group}_") + cast(n // each + 10_000_000, String),
        "meter": case((n % 3 == 0, "api"), (n % 3 == 1, "gb"), else_="seats"),
        "quantity": (n % 200 + 1) * 250_000,
        "at": literal(AT, _E.c.at.type),
        "used_in": case((n % 100 == 0, BEFORE), else_=PERIOD),
        "billed_in": literal(PERIOD),
        "told_at": literal(AT, _E.c.told_at.type),
    }
    rows = select(*(value.label(name) for name, value in columns.items()))
    await session.execute(_E.insert().from_select(list(columns), rows))


async def _summed(database: Database) -> None:
    """What the door keeps: the sum of the events by where they are billed and used."""
    by = [_E.c[name] for name in ("subscription_id", "billed_in", "meter", "used_in")]
    sums = select(*by, cast(func.sum(_E.c.quantity), _T.c.quantity.type)).group_by(*by)
    async with database.transaction() as session:
        await session.execute(_T.insert().from_select([*(one.name for one in by), "quantity"], sums))
    async with database.transaction() as session:
        await session.execute(text("ANALYZE"))


async def computed(database: Database, group: str) -> int:
    """Invoices that the month comes to, as records/usage.py says that a run does."""
    made, after = 0, ""
    while True:
        async with database.transaction() as session:
            page = await subscriptions.active_page(session, group, PERIOD, after=after, limit=PAGE)
            if not page:
                return made
            await usage.close(session, [one.id for one in page], PERIOD)
            built = await usage.build(session, page, PERIOD, RUN_AT)
        made += sum(isinstance(one, Intent) for one in built)
        after = page[-1].id


async def as_a_run(database: Database, group: str) -> int:
    """Invoices that a run registers."""
    import worker  # noqa: F401, PLC0415 - for its memory

    run = runs.Run(group=group, period=PERIOD, id=f"bench:{group}", by="bench", at=RUN_AT)
    made, after = 0, ""
    async with database.transaction() as session:
        await runs.begin(session, run)
    while True:
        async with database.transaction() as session:
            page = await runs.take_page(session, run, after, CHUNK)
        if not page:
            return made
        made += sum(one.key is not None for one in page)
        after = page[-1].subscription_id


def bare(summed: SqlTable) -> Callable[[Database, str], Awaitable[int]]:
    """Sums by one statement; how many."""

    async def work(database: Database, group: str) -> int:
        query = (
            select(summed.c.subscription_id, summed.c.meter, func.sum(summed.c.quantity))
            .join(_S, _S.c.id == summed.c.subscription_id)
            .where(_S.c.billing_group == group, summed.c.billed_in == PERIOD)
            .group_by(summed.c.subscription_id, summed.c.meter)
        )
        async with database.session() as session:
            return len((await session.execute(query)).all())

    return work


WORKS: Final[dict[str, Callable[[Database, str], Awaitable[int]]]] = {
    "bare sum over the events": bare(_E),
    "bare sum over the kept sums": bare(_T),
    "computed": computed,
    "as a run": as_a_run,
}


def memory() -> float:
    """The most that this process ever held, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux ru_maxrss begins with what the process held that started this one.
        return int(_HIGHEST.findall(status.read_text())[0]) / 1_000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000_000


async def measure(url: str, work: str, group: str) -> None:
    """This process's figures, as JSON on stdout."""
    database = Database(async_url(url))
    async with database.session() as session:
        await session.execute(select(literal(1)))
    loaded, begins = memory(), perf_counter()
    made = await WORKS[work](database, group)
    seen = Seen(perf_counter() - begins, made, loaded, memory())
    await database.close()
    print(json.dumps(asdict(seen)))


async def seen(url: str, work: str, group: str) -> Seen:
    """The figures of a process of its own."""
    command = (sys.executable, "-m", "bench.usage", "--measure", work, "--url", url, "--group", group)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{work} of {group} failed")
    found: dict[str, Any] = json.loads(told)
    return Seen(**found)


async def measured(url: str, arguments: argparse.Namespace) -> list[tuple[str, int, Seen]]:
    """Every work over a tenth and over all of the subscriptions."""
    await filled(url, arguments)
    return [
        (work, arguments.subscriptions // GROUPS[group], await seen(url, work, group))
        for work in WORKS
        for group in ("tenth", "all")
    ]


async def main(arguments: argparse.Namespace) -> None:
    what = f"The usage of a month: {arguments.subscriptions:,} subscriptions with {arguments.events:,} events"
    columns = ("database", "work", "subscriptions", "made", "seconds", "loaded MB", "peak MB")
    found = Table(*columns, title=what)
    with tempfile.TemporaryDirectory(prefix="billhook-bench-", ignore_cleanup_errors=True) as name:
        folder = opened(Path(name))
        on_sqlite = await measured(f"sqlite:///{folder / 'bench.db'}", arguments)
        async with postgres(folder / "postgres") as url:
            on_postgresql = await measured(url, arguments)
    for database, rows in (("SQLite", on_sqlite), ("PostgreSQL", on_postgresql)):
        for work, count, one in rows:
            found.add_row(database, work, f"{count:,}", *one.cells())
        found.add_section()
    Console(width=120).print(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscriptions", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--measure", choices=tuple(WORKS), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--group", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        asyncio.run(measure(given.url, given.measure, given.group))
    else:
        asyncio.run(main(given))
