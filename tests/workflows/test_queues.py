"""A run holds up nobody, and no outside system hears more than its limit, however many workers there are."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus

from billing.queues import Queue
from records.tokens import Scope
from tests.stack import Stack, assert_eventually, running_stack
from tests.workflows.running import EVERY, all_wait_for, started, usage, working

BULK: Final = 20
# Enough that whoever came behind it in line would be seen to.
AHEAD: Final = 3
# The server says: close to order of rank, with small deviations. Two calls under way and one on the road.
RATE: Final = 5.0
# Calls per second: far fewer than are made where nothing limits them.


@pytest.fixture
async def desk(temporal_address: str, tmp_path: Path) -> AsyncIterator[Stack]:
    """Without a worker: each test runs its own."""
    async with running_stack(temporal_address, tmp_path, worker_options=None) as stack:
        await stack.token("dana", Scope.APPROVE, Scope.READ)
        for number in range(BULK):
            await stack.customer(f"customer-{number}")
        await stack.customer()
        yield stack


def _without(*queues: Queue) -> tuple[Queue, ...]:
    return tuple(queue for queue in EVERY if queue not in queues)


async def _approve(stack: Stack, key: str) -> None:
    view = await stack.until(key, "awaiting_approval")
    headers = await stack.token("dana", Scope.APPROVE, Scope.READ)
    body = {"action": "approve", "revision": view["revision"]}
    answer = await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)
    assert answer.is_success, answer.text


async def test_a_milestone_and_an_approval_reach_their_end_while_nothing_of_a_run_moves(desk: Stack) -> None:
    async with working(desk, _without(Queue.RUNS)):
        run = await started(desk, *(usage(customer=f"customer-{number}") for number in range(BULK)))
        milestone = await desk.milestone()
        large = await desk.milestone(amount="30000.00")
        await _approve(desk, large)
        for key in (milestone, large):
            await desk.until(key, "sent")
            assert (await desk.recipient(key, "approve", version="1")).is_success
            await desk.until(key, "billed")
        for key in run:
            found = await desk.client.get_workflow_handle(key).describe()
            assert (found.status, found.history_length) == (WorkflowExecutionStatus.RUNNING, 2), "it has begun"


async def test_what_a_person_decided_and_then_a_milestone_is_called_before_the_backlog_of_a_run(desk: Stack) -> None:
    async with working(desk, _without(Queue.JUPITER)):
        async with working(desk, (Queue.JUPITER,)):
            large = await desk.milestone(amount="30000.00")
            external = (await desk.until(large, "awaiting_approval"))["external_id"]
        run = await started(desk, *(usage(customer=f"customer-{number}") for number in range(BULK)))
        await all_wait_for(desk, "create_draft", run)
        milestone = await desk.milestone()
        await all_wait_for(desk, "create_draft", [milestone])
        await _approve(desk, large)
        await all_wait_for(desk, "issue", [large])
        calls: list[str] = []
        async with working(desk, (Queue.JUPITER,), calls.append, max_concurrent_activities=1):
            for key in (large, milestone, *run):
                await desk.until(key, "sent")
    assert calls.index(f"issue {external}") < AHEAD
    assert calls.index(f"create_draft {milestone}") < AHEAD + 1


async def test_a_person_s_answer_to_a_runs_own_invoice_is_heard_before_the_rest_of_the_run(desk: Stack) -> None:
    few: dict[str, Any] = {"max_cached_workflows": 0, "max_concurrent_workflow_tasks": 1}
    async with working(desk, _without(Queue.RUNS)):
        async with working(desk, (Queue.RUNS,), **few):
            (large,) = await started(desk, usage("30000.00"))
            await desk.until(large, "awaiting_approval")
        run = await started(desk, *(usage(customer=f"customer-{number}") for number in range(BULK)))
        approving = asyncio.create_task(_approve(desk, large))
        await _is_put_first(desk, large)
        async with working(desk, (Queue.RUNS,), **few):
            await approving
            for key in (large, *run):
                await desk.until(key, "sent")
    heard = (await _times(desk.client, large, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED))[0]
    began = [(await _times(desk.client, key, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED))[0] for key in run]
    assert sum(at < heard for at in began) < AHEAD


async def test_a_person_s_answer_to_a_runs_own_invoice_needs_no_room_among_the_activities_of_runs(desk: Stack) -> None:
    async with working(desk, _without(Queue.RUNS)), working(desk, (Queue.RUNS,), no_remote_activities=True):
        (large,) = await started(desk, usage("30000.00"))
        await _approve(desk, large)
        assert [one["action"] for one in (await desk.invoice(large))["decisions"]] == ["approve"]
        await desk.until(large, "sent")


async def test_the_invoicing_api_hears_no_more_than_its_limit_from_two_workers_together(
    temporal_address: str, tmp_path: Path
) -> None:
    async with running_stack(temporal_address, tmp_path, worker_options=None, jupiter_rate=RATE) as stack:
        await stack.customer()
        calls: tuple[list[float], list[float]] = [], []
        async with working(stack, _without(Queue.JUPITER)):
            keys = [await stack.milestone() for _ in range(BULK)]
            await all_wait_for(stack, "create_draft", keys)
            began = time.monotonic()
            async with (
                working(stack, (Queue.JUPITER,), _clocked(calls[0])),
                working(stack, (Queue.JUPITER,), _clocked(calls[1])),
            ):
                for key in keys:
                    await stack.until(key, "sent")
    assert all(calls), "only one of the workers was asked"
    took = max(*calls[0], *calls[1]) - began
    # The server saves up what was not used for a second, and may let a call through before it has heard of the limit.
    assert 2 * BULK <= len(calls[0]) + len(calls[1]) <= RATE * took + RATE + 2


def _clocked(times: list[float]) -> Any:
    return lambda _: times.append(time.monotonic())


async def _is_put_first(stack: Stack, key: str) -> None:
    async def first() -> bool:
        found = await stack.client.get_workflow_handle(key).describe()
        return found.raw_description.workflow_execution_info.priority.priority_key == 1

    await assert_eventually(first)


async def _times(client: Client, key: str, kind: "EventType.ValueType") -> list[datetime]:
    history = await client.get_workflow_handle(key).fetch_history()
    return [event.event_time.ToDatetime() for event in history.events if event.event_type == kind]


async def test_an_answer_is_taken_where_the_server_can_put_nothing_first(slow: Stack) -> None:
    await slow.customer()
    await slow.token("dana", Scope.APPROVE, Scope.READ)
    (large,) = await started(slow, usage("30000.00"))
    with capture_logs() as logs:
        await _approve(slow, large)
    assert [one["key"] for one in logs if one["event"] == "not_put_first"] == [large]
    assert (await slow.until(large, "sent"))["decisions"]
