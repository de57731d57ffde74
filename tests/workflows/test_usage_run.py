"""The monthly run on a real server: each subscription's invoice once, however it is started, killed or repeated."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from activities.usage_run import UsageRunActivities
from billing.groups import BillingGroup
from billing.queues import Queue
from billing.run_status import RunStatus
from records import intents, runs
from records.customers import CustomerBody, put_customer
from records.metering import take
from records.run_tables import UsageRunOutcomeRow
from records.sql import table
from records.subscriptions import put_subscription
from starter import runs as starter
from tests.records.metered import NOW, a_body, an_event
from tests.stack import Stack, assert_eventually, running_stack
from tests.workflows.running import working
from workflows.usage_run import RunDone, RunStart, UsageRunWorkflow

PERIOD = "2026-10"


@dataclass
class Month:
    """A billing group of its own name, so that runs of several tests have one server."""

    stack: Stack
    group: BillingGroup = field(
        default_factory=lambda: BillingGroup(name=f"g-{uuid.uuid4().hex[:8]}", zone="Europe/Berlin")
    )

    async def subscriptions(self, count: int, used: str = "1000", **changes: Any) -> list[str]:
        """Their ids, in order; each used so much of what costs 0.01."""
        names = [f"{self.group.name}-{number:03}" for number in range(count)]
        async with self.stack.database.transaction() as s:
            body = {"name": "Acme", "email": "ap@acme.example", "segment": "standard", "currency": "USD"}
            await put_customer(s, "acme", CustomerBody.model_validate(body))
            for name in names:
                await put_subscription(s, name, a_body(billing_group=self.group.name, **changes))
            groups = {self.group.name: self.group}
            await take(s, [an_event(name, used, subscription_id=name) for name in names], groups, NOW)
        return names

    async def begun(self, **changes: Any) -> WorkflowHandle[UsageRunWorkflow, RunDone]:
        start = RunStart(**({"group": self.group.name, "period": PERIOD, "by": "dana"} | changes))
        return await self.stack.client.start_workflow(
            UsageRunWorkflow.run,
            start,
            id=f"run:{self.group.name}:{PERIOD}",
            task_queue=f"{self.stack.settings.task_queue}-{Queue.RUNS.value}",
        )

    async def run(self, **changes: Any) -> RunDone:
        return await (await self.begun(**changes)).result()

    async def status(self) -> RunStatus:
        async def look() -> RunStatus | None:
            return await starter.status(self.stack.database, self.group.name, PERIOD, datetime.now(UTC))

        found: RunStatus = await assert_eventually(look)
        return found

    async def all_out(self, count: int) -> RunStatus:
        async def look() -> RunStatus | None:
            found = await self.status()
            return found if found.billed == count and not found.on_the_way else None

        found: RunStatus = await assert_eventually(look, patience_s=60)
        return found

    async def issued(self) -> list[str]:
        """References of what the invoicing API issued, sorted."""
        truth = await self.stack.truth()
        sent = [one["data"]["reference"] for one in truth["events"] if one["type"] == "invoice.sent"]
        return sorted(one for one in sent if one.startswith(f"invoice:{self.group.name}-"))


@pytest.fixture
def month(stack: Stack) -> Month:
    return Month(stack)


@pytest.fixture
async def idle(temporal_address: str, tmp_path: Path) -> AsyncIterator[Month]:
    """Without a worker: each test runs its own."""
    async with running_stack(temporal_address, tmp_path, worker_options=None) as stack:
        yield Month(stack)


def keys(names: list[str]) -> list[str]:
    return [f"invoice:{name}:{PERIOD}" for name in names]


async def test_every_subscription_gets_one_invoice_and_the_run_of_the_same_month_again_starts_nothing(
    month: Month,
) -> None:
    names = await month.subscriptions(7)
    assert (await month.run(page=3, chunk=2)).read == 7
    found = await month.all_out(7)
    assert await month.issued() == keys(names)
    assert (found.expected, found.read, found.started, found.total_minor) == (7, 7, 7, {"USD": 7000})
    assert (found.started_by, found.finished_at is not None, found.eta_seconds) == ("dana", True, None)
    assert (await month.run(page=3)).read == 7
    again = await month.status()
    assert (again.billed, again.standing, again.per_hour) == (7, 7, None)
    assert await month.issued() == keys(names)


async def test_its_history_holds_six_events_a_page_and_it_continues_as_new_by_the_number_of_pages(
    month: Month,
) -> None:
    await month.subscriptions(5)
    first = await month.begun(page=1, pages=3)
    assert (await first.result()).read == 5
    begun = month.stack.client.get_workflow_handle(first.id, run_id=first.first_execution_run_id)
    history = [event async for event in begun.fetch_history_events()]
    assert len(history) <= 3 * 6 + 5
    assert history[-1].HasField("workflow_execution_continued_as_new_event_attributes")
    found = await month.all_out(5)
    assert (found.read, found.pages) == (5, 5)


async def test_one_that_is_refused_is_told_with_its_reason_and_the_rest_is_billed(month: Month) -> None:
    await month.subscriptions(3)
    refused = f"{month.group.name}-001"
    async with month.stack.database.transaction() as s:
        charge = {"meter": "api", "model": "per_unit", "unit_price": "999999999999"}
        await put_subscription(s, refused, a_body(billing_group=month.group.name, charges=[charge]))
    await month.run()
    found = await month.all_out(2)
    assert [one.subscription_id for one in found.refused.named] == [refused]
    assert await month.issued() == keys([f"{month.group.name}-000", f"{month.group.name}-002"])


async def test_what_was_registered_and_not_started_is_started_once_beside_the_sweep_of_the_api(idle: Month) -> None:
    """Killed between registering and starting: the next run and the dispatcher both find it."""
    names = await idle.subscriptions(4)
    run = runs.Run(group=idle.group.name, period=PERIOD, id="killed", by="schedule", at=NOW)
    async with idle.stack.database.transaction() as s:
        await runs.begin(s, run)
        assert len(await runs.take_page(s, run, "", 3)) == 3
    async with working(idle.stack):
        await idle.run()
        await idle.all_out(4)
    assert await idle.issued() == keys(names)


@pytest.mark.parametrize("where", ["registered", "half_started", "started"])
async def test_a_worker_that_ends_in_the_middle_of_a_page_is_followed_by_one_that_goes_on(
    idle: Month, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it ends, the next try goes on behind its last heartbeat: nothing is started twice or missed."""
    names = await idle.subscriptions(6)
    begin, fail_at = UsageRunActivities._start_some, {"registered": 0, "half_started": 1, "started": 2}[where]  # noqa: SLF001
    tries = []

    async def dying(self: UsageRunActivities, waiting: list[Any]) -> None:
        tries.append([intent.key for intent in waiting])
        if len(tries) != 2:
            await begin(self, waiting)
            return
        await begin(self, waiting[:fail_at])
        raise OSError("the worker is gone")

    monkeypatch.setattr(UsageRunActivities, "_start_some", dying)
    async with working(idle.stack):
        assert (await idle.run(chunk=2)).read == 6
        await idle.all_out(6)
    assert await idle.issued() == keys(names)
    assert tries[0] == keys(names[:2])
    # What the first chunk had started is not so much as asked for again.
    assert not any(key in keys(names[:2]) for started in tries[1:] for key in started)


async def test_no_more_than_so_many_are_on_their_way_and_the_time_that_this_took_is_told(idle: Month) -> None:
    names = await idle.subscriptions(6)
    every = tuple(queue for queue in Queue if queue is not Queue.JUPITER)
    async with working(idle.stack, every):
        handle = await idle.begun(chunk=2, most_open=2)

        async def held() -> bool:
            found = await idle.status()
            return found.started == 2 and found.on_the_way == 2

        await assert_eventually(held)
        assert (await handle.describe()).close_time is None
        async with idle.stack.database.session() as s:
            assert await intents.known(s, keys(names)) == set(keys(names[:2]))
        async with working(idle.stack, (Queue.JUPITER,)):
            await handle.result()
            found = await idle.all_out(6)
    assert found.held_seconds > 0
    assert 0 < (found.held_share or 0) <= 1


async def test_two_runs_of_one_month_at_once_are_one_invoice_each(idle: Month) -> None:
    """As if the engine had lost the first: the keys alone hold."""
    names = await idle.subscriptions(8)
    async with working(idle.stack):
        start = RunStart(group=idle.group.name, period=PERIOD, by="two", chunk=2)
        queue = f"{idle.stack.settings.task_queue}-{Queue.RUNS.value}"
        both = [
            idle.stack.client.execute_workflow(
                UsageRunWorkflow.run, start, id=f"{name}-{idle.group.name}", task_queue=queue
            )
            for name in ("a", "b")
        ]
        assert {done.read for done in await asyncio.gather(*both)} == {8}
        await idle.all_out(8)
    assert await idle.issued() == keys(names)
    async with idle.stack.database.session() as s:
        rows = (await s.execute(table(UsageRunOutcomeRow).select())).all()
    assert len(rows) == 8


async def test_starting_by_hand_joins_a_run_that_is_under_way_and_refuses_a_month_that_is_not_over(
    idle: Month,
) -> None:
    await idle.subscriptions(1)
    settings, client, now = idle.stack.settings, idle.stack.client, idle.group.ends_at(PERIOD)
    with pytest.raises(starter.MonthNotOver, match="not over in Europe/Berlin until 2026-10-31T23:00Z"):
        await starter.start(client, settings, idle.group, PERIOD, by="dana", now=now - timedelta(seconds=1))
    with pytest.raises(starter.MonthNotBegun, match="2027-10 does not begin in Europe/Berlin before 2027-09-30T22:00Z"):
        await starter.start(client, settings, idle.group, "2027-10", by="dana", now=now, early=True)
    first = await starter.start(client, settings, idle.group, PERIOD, by="dana", now=now)
    second = await starter.start(client, settings, idle.group, PERIOD, by="sam", now=now, early=True)
    assert (first.workflow_id, first.created) == (f"run:{idle.group.name}:{PERIOD}", True)
    assert (second.workflow_id, second.created) == (first.workflow_id, False)
    async with working(idle.stack):
        await client.get_workflow_handle(first.workflow_id).result()
    assert (await idle.status()).started_by == "dana"
    early = await starter.start(client, settings, idle.group, "2026-11", by="dana", now=now, early=True)
    assert early.created
    await client.get_workflow_handle(early.workflow_id).terminate()
