"""Several dispatchers on one database: every event is signalled by one of them, and each invoice's in their order."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.record import Fate
from records import claims, events
from records.claim_tables import ClaimRow
from records.events import Mark
from records.session import Database
from records.sql import table
from starter.claiming import Claims
from tests.stack import assert_eventually
from tests.starter.dispatching import Office, database_url, office, postgres_server, postgres_url, running

__all__ = ["database_url", "office", "postgres_server", "postgres_url"]

_C = table(ClaimRow)


async def _held(database: Database) -> dict[str, datetime]:
    """Until when each invoice is claimed."""
    async with database.session() as session:
        return {row.name: row.until for row in await session.execute(select(_C))}


async def test_two_dispatchers_signal_every_event_once_and_keep_the_order_of_each_invoice(
    office: Office, database_url: str
) -> None:
    other = Office(Database(database_url), office.client)
    keys = [await office.invoice() for _ in range(8)]
    first_is_at_it, second_is_at_it = asyncio.Event(), asyncio.Event()

    async def wait_for_the_other(_: str) -> None:
        first_is_at_it.set()
        await second_is_at_it.wait()

    async def tell(_: str) -> None:
        second_is_at_it.set()

    first, second = office.dispatcher(trouble=wait_for_the_other), other.dispatcher(trouble=tell)
    ids = {key: await office.events(key, 5) for key in keys[:4]}
    try:
        async with running(first):
            await first_is_at_it.wait()
            # What the first has in hand stays his; the second has work of his own at the same time.
            ids |= {key: await other.events(key, 5) for key in keys[4:]}
            async with running(second):
                for start, into in ((5, office), (8, other)):
                    for key in keys:
                        ids[key] += await into.events(key, 3, start=start)
                    first.wake()
                    second.wake()
                await office.become([one for found in ids.values() for one in found], Fate.DELIVERED)
        assert {key: await office.signalled(key) for key in keys} == ids
        assert await _held(office.database) == {}
    finally:
        await other.database.close()


async def test_a_dead_dispatchers_invoice_waits_until_its_time_is_over_and_is_then_taken_over(office: Office) -> None:
    dead, free = await office.invoice(), await office.invoice()
    ids, others = await office.events(dead, 2), await office.events(free, 1)
    now = datetime.now(UTC)
    async with office.database.transaction() as session:
        await claims.claim(session, "dead", [dead], now, now + timedelta(hours=1))
    dispatcher = office.dispatcher()
    await dispatcher.pass_once()
    assert await office.fates(others) == {Fate.DELIVERED}
    assert await office.signalled(dead) == []
    assert await dispatcher.pass_once() is False, "what another has in hand is no reason to look again at once"
    async with office.database.transaction() as session:
        await session.execute(update(_C).values(until=now))
    await dispatcher.pass_once()
    assert await office.signalled(dead) == ids
    assert await _held(office.database) == {}


async def test_whoever_takes_long_keeps_his_claim_and_gives_it_back_when_he_stops(office: Office) -> None:
    key = await office.invoice()
    await office.events(key, 2)
    called = asyncio.Event()

    async def hang(_: str) -> None:
        called.set()
        await asyncio.Event().wait()

    async with running(office.dispatcher(trouble=hang, lease_s=0.6)):
        await called.wait()
        began = (await _held(office.database))[key]

        async def renewed() -> bool:
            return (await _held(office.database))[key] > began + timedelta(seconds=0.6)

        await assert_eventually(renewed)
        await office.dispatcher().pass_once()
        assert await office.signalled(key) == []
    assert await _held(office.database) == {}


async def test_whoever_wakes_after_his_time_is_over_sends_nothing_that_he_had_not_begun(office: Office) -> None:
    key = await office.invoice()
    ids = await office.events(key, 3)
    called, released = asyncio.Event(), asyncio.Event()

    async def hang(_: str) -> None:
        called.set()
        await released.wait()

    late = office.dispatcher(trouble=hang, lease_s=0.05)
    passing = asyncio.create_task(late.pass_once())
    await called.wait()
    async with running(office.dispatcher()):
        await office.become(ids, Fate.DELIVERED)
    released.set()
    await passing
    assert await office.signalled(key) == [*ids, ids[0]]


@pytest.mark.parametrize(
    "becomes", [Mark("", Fate.DELIVERED), Mark("", Fate.PENDING, "waits", 1)], ids=lambda one: one.fate
)
async def test_what_another_did_between_our_reading_and_our_claim_is_seen(office: Office, becomes: Mark) -> None:
    key = await office.invoice()
    ids = await office.events(key, 2)
    later = datetime.now(UTC) + timedelta(hours=1) if becomes.fate is Fate.PENDING else None
    async with office.database.session() as session:
        read = await events.pending(session, 10, datetime.now(UTC))
    mark = Mark(ids[0], becomes.fate, becomes.reason, becomes.attempts, later)
    async with office.database.transaction() as session:
        await events.mark(session, [mark])
    taken = await Claims(office.database).take({key: read})
    left = [row.id for row in taken.get(key, [])]
    assert left == ([] if later else ids[1:])
    assert set(await _held(office.database)) == set(taken)
