"""Group commit: what comes at once shares a transaction, and nobody hears of another's trouble."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from records import events
from records.events import Arrival
from records.group import GroupCommit
from records.session import Database
from tests.records.make import an_event


class Counting:
    """Stores arrivals and notes how many came in each transaction."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def __call__(self, session: AsyncSession, found: Sequence[Arrival]) -> Sequence[bool]:
        self.sizes.append(len(found))
        return await events.accept_all(session, found)


def _arrival(name: str) -> Arrival:
    return Arrival("jupiter", an_event(name), b"raw")


async def test_what_comes_while_one_transaction_is_written_shares_the_next(db: Database) -> None:
    write = Counting()
    group = GroupCommit(db, write, most=30)
    assert await asyncio.gather(*(group.put(_arrival(f"evt_{number}")) for number in range(50))) == [True] * 50
    assert write.sizes == [30, 20]


async def test_an_item_that_cannot_be_written_holds_up_no_other(db: Database) -> None:
    group = GroupCommit(db, events.accept_all)
    bad = _arrival("evt_bad")
    bad.event.__dict__["id"] = None
    answers = await asyncio.gather(
        group.put(_arrival("evt_1")), group.put(bad), group.put(_arrival("evt_2")), return_exceptions=True
    )
    assert [answers[0], answers[2]] == [True, True]
    assert isinstance(answers[1], SQLAlchemyError)


async def test_where_the_database_fails_all_who_wait_hear_it_after_one_try(db: Database) -> None:
    tries: list[int] = []

    async def locked(_: AsyncSession, found: Sequence[Arrival]) -> Sequence[bool]:
        tries.append(len(found))
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    group = GroupCommit(db, locked)
    puts = (group.put(_arrival(f"evt_{number}")) for number in range(20))
    answers = await asyncio.gather(*puts, return_exceptions=True)
    assert {type(answer) for answer in answers} == {OperationalError}
    assert tries == [20]


async def test_who_gave_up_before_his_turn_is_not_written(db: Database) -> None:
    written: list[str] = []
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: AsyncSession, found: Sequence[Arrival]) -> Sequence[bool]:
        written.extend(one.event.id for one in found)
        entered.set()
        await go_on.wait()
        return [True] * len(found)

    group = GroupCommit(db, slow)
    first = asyncio.create_task(group.put(_arrival("evt_1")))
    await entered.wait()
    second, third = (asyncio.create_task(group.put(_arrival(name))) for name in ("evt_2", "evt_3"))
    await asyncio.wait([second], timeout=0)
    second.cancel()
    await asyncio.wait([second])
    go_on.set()
    assert [await first, await third] == [True, True]
    assert written == ["evt_1", "evt_3"]


async def test_of_the_same_event_twice_in_one_transaction_one_is_new(db: Database) -> None:
    async with db.transaction() as session:
        again = [_arrival("evt_2"), _arrival("evt_1"), _arrival("evt_2")]
        assert await events.accept_all(session, again) == [True, True, False]
        assert await events.accept_all(session, again) == [False, False, False]


async def test_an_answer_comes_after_the_commit(db: Database, database_url: str) -> None:
    other = Database(database_url)
    group = GroupCommit(db, events.accept_all)
    try:
        await group.put(_arrival("evt_1"))
        async with other.session() as session:
            assert await events.get_event(session, "evt_1") is not None
    finally:
        await other.close()


async def test_processes_that_store_the_same_events_at_once_do_not_refuse_each_other(
    db: Database, database_url: str
) -> None:
    other = Database(database_url)
    names = [f"evt_{number}" for number in range(40)]

    async def store(database: Database, order: list[str]) -> list[bool]:
        async with database.transaction() as session:
            return await events.accept_all(session, [_arrival(name) for name in order])

    try:
        answers = await asyncio.gather(store(db, names), store(other, names[::-1]))
    finally:
        await other.close()
    assert sum(map(sum, answers)) == len(names)
