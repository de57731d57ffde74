"""The dispatcher under a backlog: order within an invoice, a turn for every invoice, and no event tried for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from billing.record import Fate
from records import events, intents
from records.events import Mark
from starter.dispatcher import BATCH
from tests.records.make import an_intent
from tests.starter.dispatching import Office, database_url, office, postgres_server, postgres_url, running

__all__ = ["database_url", "office", "postgres_server", "postgres_url"]


async def test_an_invoice_with_a_long_backlog_leaves_the_others_their_turn_in_the_first_pass(office: Office) -> None:
    crowded, quiet = await office.invoice(), await office.invoice()
    first = await office.events(crowded, 2 * BATCH)
    later = await office.events(quiet, 3)
    await office.dispatcher().pass_once()
    assert await office.fates(later) == {Fate.DELIVERED}
    assert Fate.PENDING in await office.fates(first)


async def test_a_long_backlog_of_one_invoice_is_worked_off_in_the_order_of_events(office: Office) -> None:
    key = await office.invoice()
    ids = await office.events(key, 70)
    dispatcher = office.dispatcher()
    while await dispatcher.pass_once():
        pass
    assert await office.signalled(key) == ids


async def test_an_event_that_waits_holds_back_the_later_ones_of_its_invoice_over_passes_and_costs_them_no_try(
    office: Office,
) -> None:
    key, other = await office.invoice(), await office.invoice()
    ids, others = await office.events(key, 30), await office.events(other, 1)
    async with office.database.transaction() as session:
        until = datetime.now(UTC) + timedelta(hours=1)
        await events.mark(session, [Mark(ids[0], Fate.PENDING, "waits", 1, until)])
    dispatcher = office.dispatcher()
    await dispatcher.pass_once()
    await dispatcher.pass_once()
    assert await office.fates(others) == {Fate.DELIVERED}
    assert await office.signalled(key) == []
    assert {(await office.row(one)).attempts for one in ids[1:]} == {0}


async def test_a_replay_frees_what_waits_behind_the_event(office: Office) -> None:
    key = await office.invoice()
    ids = await office.events(key, 3)
    async with office.database.transaction() as session:
        until = datetime.now(UTC) + timedelta(hours=1)
        await events.mark(session, [Mark(ids[0], Fate.QUARANTINED), Mark(ids[1], Fate.PENDING, "waits", 1, until)])
        assert await events.requeue(session, ids[0])
    await office.dispatcher().pass_once()
    assert await office.signalled(key) == ids


async def test_an_invoice_whose_signals_hang_keeps_no_other_waiting(office: Office) -> None:
    stuck, free = await office.invoice(), await office.invoice()
    released = asyncio.Event()

    async def hang(key: str) -> None:
        if key == stuck:
            await released.wait()

    office.trouble = hang
    held = await office.events(stuck, 2)
    async with running(office.dispatcher()) as dispatcher:
        for start in (0, 3):
            # The second lot is stored while the first invoice still hangs.
            ids = await office.events(free, 3, start=start)
            dispatcher.wake()
            await office.become(ids, Fate.DELIVERED)
        assert await office.fates(held) == {Fate.PENDING}
        released.set()
        await office.become(held, Fate.DELIVERED)


async def test_while_temporal_is_slow_no_more_than_a_batch_is_under_way(office: Office) -> None:
    released = asyncio.Event()

    async def hang(_: str) -> None:
        await released.wait()

    office.trouble = hang
    keys = [await office.invoice() for _ in range(15)]
    ids = [one for key in keys for one in await office.events(key, 20)]
    assert len(ids) > BATCH
    dispatcher = office.dispatcher()
    for _ in range(3):
        await dispatcher.pass_once(sweep=False, patience_s=0)
    assert dispatcher.under_way == BATCH
    released.set()
    async with running(dispatcher):
        await office.become(ids, Fate.DELIVERED)


async def test_an_invoice_whose_signals_time_out_rests_with_the_reason_and_loses_no_try(office: Office) -> None:
    slow, free = await office.invoice(), await office.invoice()

    async def time_out(key: str) -> None:
        if key == slow:
            raise RPCError("too slow", RPCStatusCode.DEADLINE_EXCEEDED, b"")

    office.trouble = time_out
    held, ids = await office.events(slow, 2), await office.events(free, 2)
    await office.dispatcher().pass_once()
    assert await office.fates(ids) == {Fate.DELIVERED}
    first = await office.row(held[0])
    assert (first.fate, first.attempts) == (Fate.PENDING, 0)
    assert "too slow" in first.reason
    assert first.next_attempt_at is not None


@pytest.mark.parametrize(
    "error",
    [ValueError("of ours"), RPCError("odd", RPCStatusCode.DATA_LOSS, b"")],
    ids=["mistake of ours", "answer nobody foresaw"],
)
async def test_an_event_that_is_stumbled_over_is_quarantined_with_the_reason_and_then_the_next_has_its_turn(
    office: Office, error: Exception
) -> None:
    key = await office.invoice()
    calls: list[str] = []

    async def stumble(asked: str) -> None:
        calls.append(asked)
        if len(calls) <= 4:
            raise error

    office.trouble = stumble
    ids = await office.events(key, 2)
    dispatcher = office.dispatcher()
    while await dispatcher.pass_once():
        pass
    first = await office.row(ids[0])
    assert first.fate == Fate.QUARANTINED
    assert type(error).__name__ in first.reason
    assert await office.signalled(key) == ids[1:]
    async with office.database.transaction() as session:
        assert await events.requeue_quarantined(session) == 1
    await dispatcher.pass_once()
    assert await office.signalled(key) == [ids[1], ids[0]]


async def test_a_refused_signal_is_quarantined_after_its_pauses_and_holds_up_nobody(office: Office) -> None:
    full, free = await office.invoice(), await office.invoice()

    async def refuse(key: str) -> None:
        if key == full:
            raise RPCError("exceeded the limit of signals", RPCStatusCode.INVALID_ARGUMENT, b"")

    office.trouble = refuse
    refused, ids = await office.events(full, 1), await office.events(free, 1)
    dispatcher = office.dispatcher()
    while await dispatcher.pass_once():
        pass
    assert await office.fates(ids) == {Fate.DELIVERED}
    found = await office.row(refused[0])
    assert (found.fate, "limit of signals" in found.reason) == (Fate.QUARANTINED, True)


async def test_a_crash_between_store_and_signal_is_healed_by_the_next_start(office: Office) -> None:
    key = await office.invoice()
    ids = await office.events(key, 5)
    async with running(office.dispatcher()):
        await office.become(ids, Fate.DELIVERED)
    assert await office.signalled(key) == ids


async def test_a_start_that_is_refused_stops_no_event(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any) -> bool:
        raise RPCError("no such search attribute", RPCStatusCode.INVALID_ARGUMENT, b"")

    key = await office.invoice()
    ids = await office.events(key, 1)
    async with office.database.transaction() as session:
        await intents.register(session, an_intent("invoice:unstarted:m1"))
    monkeypatch.setattr("starter.client.start_invoice", refused)
    await office.dispatcher().pass_once()
    assert await office.fates(ids) == {Fate.DELIVERED}
