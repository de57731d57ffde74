"""How long the desk's inbox takes with thousands of open approvals, on SQLite and PostgreSQL, beside a bare route.

    python -m bench.inbox [--approvals 2000] [--others 4000] [--requests 200]

One person asks, one request after another, as a browser does: signed in, the whole page of fifty rows with its counts.
The API is a process of its own, its database on this machine: SQLite in WAL mode, PostgreSQL as a server runs by
default. The bare route stands in the same process and renders nothing. Only figures of this run are printed.
"""

import argparse
import asyncio
import gc
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Final

import httpx
import uvicorn
from fastapi.responses import PlainTextResponse
from rich.console import Console
from rich.table import Table
from sqlalchemy import update
from temporalio.client import Client

from bench.intake import TALK, answers, free_port, opened, postgres, process
from billing.assessment import Assessment, Reason
from billing.decisions import Action
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.record import InvoiceRecord, Status
from records import invoices
from records.customers import CustomerBody, put_customer
from records.intents import register
from records.session import Database
from records.sql import table
from records.tables import IntentRow
from records.tokens import Scope, create_token
from settings import Settings, async_url
from starter.http.app import create_app

NOW: Final = datetime.now(UTC)
CUSTOMERS: Final = 40
AT_ONCE: Final = 500
WARM_UP: Final = 20
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')
_NEXT: Final = re.compile(r'rel="next" href="([^"]+)"')
_CAN: Final = (Action.APPROVE.value, Action.REJECT.value, Action.DELEGATE.value, Action.CANCEL.value)


@dataclass(frozen=True)
class Seen:
    """Milliseconds of each answer to one question, and how large the answers were."""

    delays: list[float]
    size: int

    def within(self, part: float) -> float:
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    def cells(self) -> list[str]:
        times = (self.within(0.5), self.within(0.99), max(self.delays))
        return [str(len(self.delays)), *(f"{time:.1f}" for time in times), f"{self.size / 1000:.0f}"]


async def filled(url: str, arguments: argparse.Namespace) -> str:
    """The records: customers, open approvals, other invoices; the plaintext of an approver's token."""
    database = Database(async_url(url))
    await database.upgrade()
    async with database.transaction() as session:
        for number in range(CUSTOMERS):
            body = {"name": f"Customer {number} GmbH", "email": f"ap@c{number}.example", "currency": "USD"}
            await put_customer(session, f"customer_{number}", CustomerBody.model_validate(body))
        token = await create_token(session, "dana", [Scope.APPROVE])
    statuses = [Status.AWAITING_APPROVAL] * arguments.approvals + [Status.BILLED] * arguments.others
    rows = list(enumerate(statuses))
    for begin in range(0, len(rows), AT_ONCE):
        await _written(database, rows[begin : begin + AT_ONCE])
    await database.close()
    return token


async def _written(database: Database, rows: list[tuple[int, Status]]) -> None:
    intents = [_intent(number) for number, _ in rows]
    reason = Reason(rule="over_threshold", text="The total is over 25,000.00 USD, the most that goes out by itself.")
    kept = Assessment(automatic=False, policy_hash="bench", reasons=(reason,))
    async with database.transaction() as session:
        for intent in intents:
            await register(session, intent)
            await invoices.save_assessment(session, intent.key, intent.commercial.revision(1), kept)
        await session.execute(update(table(IntentRow)).values(started_at=NOW))
        told = [_record(intent, *row) for intent, row in zip(intents, rows, strict=True)]
        await invoices.save_records(session, told)


def _intent(number: int) -> Intent:
    line = Line(description="Design approved", quantity=Decimal(1), unit_price=Decimal(26_000 + number))
    return Intent(
        key=f"invoice:project_{number}:milestone_1",
        motion=Motion.MILESTONE,
        customer_id=f"customer_{number % CUSTOMERS}",
        commercial=Commercial(currency="USD", lines=(line,)),
        source=Source(event_id=f"evt_{number}", occurred_at=NOW, scope=f"project_{number}"),
    )


def _record(intent: Intent, number: int, status: Status) -> InvoiceRecord:
    is_open = status is Status.AWAITING_APPROVAL
    return InvoiceRecord(
        key=intent.key,
        sequence=1,
        status=status,
        total_minor=intent.commercial.total.minor,
        currency="USD",
        version=1,
        revision=intent.commercial.revision(1),
        available_actions=_CAN if is_open else (),
        waiting_for="Waits for a person to approve." if is_open else "",
        assignee=("dana", "robin", "")[number % 3] if is_open else "",
        decide_by=NOW + timedelta(minutes=7 * number - 500) if is_open else None,
    )


def serve(url: str, port: int) -> None:
    """The API over that database, and a bare route beside the desk. Temporal is never reached."""
    database = Database(async_url(url))
    app = create_app(Settings(database_url=url), database, lambda: Client.connect("127.0.0.1:1"))

    async def bare() -> PlainTextResponse:
        return PlainTextResponse("ok")

    app.add_api_route("/bare", bare)
    # As the API's own process does it: a full collection does not look at what is loaded by now.
    gc.collect()
    gc.freeze()
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


async def signed_in(browser: httpx.AsyncClient, token: str) -> None:
    page = await browser.get("/desk/sign-in")
    form = {"csrf": _CSRF.findall(page.text)[0], "token": token}
    answer = await browser.post("/desk/sign-in", data=form, headers={"Origin": str(browser.base_url).rstrip("/")})
    if not answer.is_redirect:
        raise SystemExit(f"the desk lets nobody in: {answer.text}")


def questions(last: str) -> Iterator[tuple[str, str]]:
    """What is asked, as a person would; `last` is the address of the hindmost page."""
    yield "bare route", "/bare"
    yield "first page", "/desk/"
    yield "last page", last
    yield "my own", "/desk/?whose=mine"
    yield "search that finds many", "/desk/?q=customer+17"
    yield "search that finds one", "/desk/?q=project_1234:"
    yield "search that finds none", "/desk/?q=nothing-has-this"


async def measured(url: str, folder: Path, arguments: argparse.Namespace) -> list[tuple[str, Seen]]:
    """Each question asked as often as wanted."""
    token = await filled(url, arguments)
    port = free_port()
    command = (sys.executable, "-m", "bench.inbox", "--serve", url, "--port", str(port))
    base = f"http://127.0.0.1:{port}"
    async with (
        process(*command, log=folder / "api.log"),
        httpx.AsyncClient(base_url=base, timeout=60) as browser,
    ):
        await answers(f"{base}/healthz")
        await signed_in(browser, token)
        last = await _last_page(browser)
        return [(words, await _asked(browser, path, arguments.requests)) for words, path in questions(last)]


async def _last_page(browser: httpx.AsyncClient) -> str:
    """Walking there also shows that every page is reached."""
    path = "/desk/"
    while found := _NEXT.search((await browser.get(path)).raise_for_status().text):
        path = found[1].replace("&amp;", "&")
    return path


async def _asked(browser: httpx.AsyncClient, path: str, requests: int) -> Seen:
    delays, size = list[float](), 0
    for number in range(WARM_UP + requests):
        begins = perf_counter()
        answer = await browser.get(path)
        took = 1000 * (perf_counter() - begins)
        size = len(answer.raise_for_status().content)
        delays += [took] if number >= WARM_UP else []
    return Seen(delays, size)


async def main(arguments: argparse.Namespace) -> None:
    what = (
        f"The inbox with {arguments.approvals} open approvals among {arguments.approvals + arguments.others} invoices"
    )
    found = Table("database", "asked for", "times", "p50 ms", "p99 ms", "max ms", "kB", title=what)
    with tempfile.TemporaryDirectory(prefix="billhook-bench-", ignore_cleanup_errors=True) as name:
        folder = opened(Path(name))
        on_sqlite = await measured(f"sqlite:///{folder / 'bench.db'}", folder, arguments)
        async with postgres(folder / "postgres") as url:
            on_postgresql = await measured(url, folder, arguments)
    for database, rows in (("SQLite", on_sqlite), ("PostgreSQL", on_postgresql)):
        for words, seen in rows:
            found.add_row(database, words, *seen.cells())
        found.add_section()
    TALK.print(f"{arguments.requests} times each, after {WARM_UP} to warm up")
    Console().print(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--approvals", type=int, default=2000)
    parser.add_argument("--others", type=int, default=4000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.port)
    else:
        asyncio.run(main(given))
