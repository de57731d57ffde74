"""A company-year in virtual time: triggers, approvers, recipients, every fault of the API and wrong clocks, by dice.

The whole stack is real; only time is not: Temporal's time-skipping server jumps over the weeks, and the sandbox's clock
follows it, give or take a wrong setting. While anything is under way time runs at some hundred times its pace, so that
no retry keeps the drill waiting. Dropped webhooks are healed by reconciliation alone. At the year's end the faults are
switched off, everybody does his last bit, and then the auditor looks at all the books.

Long version: `drill(years=1, invoices=50, seed=1)`; a second year plays the next seed. Short: test_simulation.py.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import func, select
from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from audit.sources import Sources
from records.sql import table
from records.tables import EventRow
from starter.reconciling import reconcile
from tests.drills.audited import NO_LIST, findings
from tests.drills.report import DrillReport
from tests.drills.simulation_people import OPEN, People
from tests.drills.simulation_plan import CUSTOMERS, STEP_DAYS, STEPS, Step, Trigger, drawn
from tests.skipping import skipping_server, skipping_stack
from tests.stack import Stack, assert_eventually

PACE: Final = timedelta(seconds=20)
# Virtual time per breath: a retry's pause is over in a moment, a business hour in some seconds.
BREATH_S: Final = 0.02
STEP_S: Final = 0.35
# Real time that a step gives to webhooks and workers before the next leap.
RECONCILE_EVERY: Final = 6
# Steps: about once a month; what a month's webhooks lost is found then.
SLEEP_S: Final = 5.0
STALLED_S: Final = 40.0
# Longer than any activity may take, in real time.
PATIENCE_S: Final = 60.0
ENDS: Final = frozenset({"billed", "rejected", "cancelled"})
_V = table(EventRow)
_POLICY: Final = '[approval]\nassignee = "dana@billhook.example"\nescalate_to = "robin@billhook.example"\n'


class Time:
    """Virtual time: it flows quickly by itself, and leaps when told."""

    def __init__(self, environment: WorkflowEnvironment, jupiter: httpx.AsyncClient) -> None:
        self._environment, self._jupiter = environment, jupiter
        self._lock = asyncio.Lock()
        self._sleeping: asyncio.Task[None] | None = None
        self._since = 0.0

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        flow = asyncio.create_task(self._flow())
        try:
            yield
        finally:
            flow.cancel()
            with suppress(asyncio.CancelledError):
                await flow
            if self._sleeping is not None:
                # The world ends with it.
                self._sleeping.cancel()

    async def _flow(self) -> None:
        while True:
            await self._sleep(PACE)
            await asyncio.sleep(BREATH_S)

    async def _sleep(self, span: timedelta) -> None:
        """The server lets time leap only while no task is under way; what takes too long goes on beside the rest.

        Never cancelled: a sleep that its caller gives up leaves the server's lock on time held, and each such sleep one
        more, until time no longer leaps at all.
        """
        async with self._lock:
            if self._sleeping is None:
                self._sleeping, self._since = asyncio.create_task(self._environment.sleep(span)), time.monotonic()
            done, _ = await asyncio.wait({self._sleeping}, timeout=SLEEP_S)
            if done:
                sleeping, self._sleeping = self._sleeping, None
                with suppress(RPCError):
                    sleeping.result()
            elif time.monotonic() - self._since > STALLED_S:
                await self._release()

    async def _release(self) -> None:
        """Now and then the test server forgets to let time go when a task of its has ended; no task lasts so long."""
        self._since = time.monotonic()
        with suppress(RPCError):
            await self._environment.client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())

    async def leap(self, days: int, skew: timedelta) -> None:
        """The API's clock follows, `skew` off."""
        for _ in range(days):
            await self._sleep(timedelta(days=1))
        now = (await self._environment.get_current_time()).astimezone(UTC) + skew
        (await self._jupiter.put("/_sandbox/clock", json={"now": now.isoformat()})).raise_for_status()


@dataclass
class Year:
    """One world and what was seen of it."""

    stack: Stack
    time: Time
    people: People
    seed: int
    keys: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)

    async def run(self, plan: list[Step]) -> None:
        for day, step in enumerate(plan):
            await self.stack.faults(**step.faults)
            await asyncio.gather(*(self._trigger(one, day) for one in step.triggers))
            await self._everybody(lambda seen, day=day: self.people.act(seen, day))
            await asyncio.sleep(STEP_S)
            if day % RECONCILE_EVERY == RECONCILE_EVERY - 1:
                await self._reconcile()
            await self.time.leap(STEP_DAYS, timedelta(minutes=step.skew_minutes))
        await self._finish()

    async def _trigger(self, trigger: Trigger, day: int) -> None:
        """Sent twice, as systems do; and once with other content under the same key."""
        path = f"/triggers/{trigger.motion}"
        for created in (True, False):
            answer = await self.stack.api.post(path, json=trigger.body)
            if answer.status_code != httpx.codes.ACCEPTED or answer.json()["key"] != trigger.key:
                self.violations.append(f"{trigger.key}: the trigger was answered {answer.status_code}: {answer.text}")
                return
            if answer.json()["created"] is not created:
                self.violations.append(f"{trigger.key}: created is {not created}, in the trigger number {2 - created}")
        self.keys.add(trigger.key)
        other = await self.stack.api.post(path, json=trigger.body | {"payment_terms": "net_90"})
        if other.status_code != httpx.codes.CONFLICT:
            self.violations.append(f"{trigger.key}: other content was answered {other.status_code}, not 409")

    async def _everybody(self, act: Any) -> None:
        gate = asyncio.Semaphore(8)

        async def one(seen: dict[str, Any]) -> None:
            async with gate:
                await act(seen)

        await asyncio.gather(*(one(seen) for seen in await self._invoices() if seen["status"] in OPEN))

    async def _invoices(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            asked = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
            page = (await self.stack.api.get("/invoices", params=asked)).raise_for_status().json()
            found, cursor = found + page["data"], page["next_cursor"]
            if cursor is None:
                return found

    async def _reconcile(self) -> None:
        report = await reconcile(self.stack.client, self.stack.settings, lambda _: None)
        self.facts["healed by reconciliation"] += report.healed_count
        self.facts["left for a person"] += report.left_count

    async def _finish(self) -> None:
        """No more faults; everybody does his last bit until nothing is open, or patience ends."""
        await self.stack.faults(seed=self.seed)
        try:
            await assert_eventually(self._ended, PATIENCE_S)
            await assert_eventually(self._at_rest, PATIENCE_S)
        except AssertionError as error:
            self.violations.append(f"the year does not come to rest: {error}")

    async def _ended(self) -> bool:
        await self._everybody(self.people.finish)
        await self._reconcile()
        open_ones = {one["key"]: one["status"] for one in await self._invoices() if one["status"] not in ENDS}
        return not open_ones

    async def _at_rest(self) -> bool:
        fates = await self.fates()
        return not fates["pending"] and not fates["delivered"]

    async def fates(self) -> Counter[str]:
        async with self.stack.database.session() as session:
            rows = await session.execute(select(_V.c.fate, func.count().label("number")).group_by(_V.c.fate))
            return Counter({row.fate: row.number for row in rows})

    async def audited(self) -> None:
        """The auditor over all books, and what it cannot know: that every trigger has its one invoice."""
        found = await self._invoices()
        seen = {one["key"]: one["status"] for one in found}
        self.violations += [f"{key}: triggered, and there is no invoice" for key in self.keys - seen.keys()]
        self.violations += [f"{key}: nobody triggered it" for key in seen.keys() - self.keys]
        self.violations += [
            f"{one['key']}: still {one['status']} at the end: {one['waiting_for']}"
            for one in found
            if one["status"] not in ENDS
        ]
        sources = Sources(
            self.stack.database,
            truth=await self.stack.truth(),
            ledger=self.stack.settings.ledger,
            mails=list(self.stack.mailbox.mails),
            client=self.stack.client,
        )
        self.violations += await findings(sources, without=NO_LIST)
        self.violations += self.people.wrong
        self.facts.update(Counter(f"invoices {status}" for status in seen.values()))


async def drill(*, years: int = 1, invoices: int = 50, seed: int = 1) -> DrillReport:
    """`invoices` a year. Violations: what the auditor finds, invoices without an end, answers that should not be."""
    return DrillReport.merged([await _year(invoices, seed + number, STEPS) for number in range(years)])


async def short(*, invoices: int, seed: int, steps: int) -> DrillReport:
    """The beginning of a year."""
    return await _year(invoices, seed, steps)


async def _year(invoices: int, seed: int, steps: int) -> DrillReport:
    began, report = time.monotonic(), DrillReport("simulation", [seed], invoices=invoices)
    async with _world(seed) as year:
        await year.run(drawn(seed, invoices, steps))
        await year.audited()
        report.faults.update((await year.stack.jupiter.get("/_sandbox/injected")).json())
        report.events.update(await year.fates())
        report.violations += [f"seed {seed}: {words}" for words in year.violations]
        year.facts.update(year.people.done)
        report.facts["virtual days"] = str(steps * STEP_DAYS)
        report.facts["what happened"] = ", ".join(f"{count} {what}" for what, count in sorted(year.facts.items()))
    report.seconds = time.monotonic() - began
    sys.stderr.write(f"simulation: seed {seed}, {report.seconds:.0f} s, {report.facts['what happened']}\n")
    return report


@asynccontextmanager
async def _world(seed: int) -> AsyncIterator[Year]:
    async with AsyncExitStack() as around:
        folder = Path(around.enter_context(tempfile.TemporaryDirectory(prefix="billhook-year-")))
        environment = await around.enter_async_context(skipping_server())
        stack = await around.enter_async_context(
            skipping_stack(
                environment,
                folder,
                worker_options={"workflow_runner": UnsandboxedWorkflowRunner()},
                policy_file=_policy(folder),
                reconcile_grace_s=0,
            )
        )
        for customer, segment, currency in CUSTOMERS:
            await stack.customer(customer, segment=segment, currency=currency)
        virtual = Time(environment, stack.jupiter)
        await virtual.leap(0, timedelta())
        await around.enter_async_context(virtual.flowing())
        yield Year(stack, virtual, await People.of(stack, seed), seed)


def _policy(folder: Path) -> Path:
    path = folder / "policy.toml"
    path.write_text(_POLICY)
    return path
