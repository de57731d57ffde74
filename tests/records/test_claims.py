"""Claims in the records: one holder at a time, also where many want the same names in the same moment."""

import asyncio
from datetime import timedelta

from records import claims
from records.session import Database
from tests.records.make import AT

LATER = AT + timedelta(seconds=10)


async def _claim(db: Database, holder: str, *names: str, at: timedelta = timedelta(0)) -> set[str]:
    async with db.transaction() as s:
        return await claims.claim(s, holder, names, AT + at, LATER + at)


async def test_a_name_has_one_holder_until_his_time_is_over(db: Database) -> None:
    assert await _claim(db, "first", "a", "b") == {"a", "b"}
    assert await _claim(db, "second", "b", "c") == {"c"}
    assert await _claim(db, "first", "a") == {"a"}
    assert await _claim(db, "second", "b", at=timedelta(seconds=9)) == set()
    assert await _claim(db, "second", "b", at=timedelta(seconds=10)) == {"b"}


async def test_only_the_holder_renews_and_gives_back(db: Database) -> None:
    await _claim(db, "first", "a")
    async with db.transaction() as s:
        await claims.release(s, "second", ["a"])
        await claims.renew(s, "second", ["a"], LATER + timedelta(days=1))
    assert await _claim(db, "second", "a") == set()
    async with db.transaction() as s:
        await claims.renew(s, "first", ["a"], LATER + timedelta(seconds=10))
    assert await _claim(db, "second", "a", at=timedelta(seconds=11)) == set()
    async with db.transaction() as s:
        await claims.release(s, "first", ["a"])
    assert await _claim(db, "second", "a") == {"a"}


async def test_of_many_who_want_the_same_names_at_once_each_name_goes_to_one(db: Database) -> None:
    names = [f"invoice:{number}" for number in range(60)]
    wanted = [names[step:] + names[:step] for step in range(8)]
    got = await asyncio.gather(*(_claim(db, f"holder {number}", *each) for number, each in enumerate(wanted)))
    assert sorted(name for each in got for name in each) == sorted(names)


async def test_what_a_dead_holder_left_is_forgotten_once_nobody_wants_it(db: Database) -> None:
    await _claim(db, "dead", "old")
    await _claim(db, "alive", "new", at=timedelta(hours=2))
    async with db.transaction() as s:
        await claims.forget(s, AT + timedelta(hours=2))
        assert await claims.claim(s, "other", ["new", "old"], AT, LATER) == {"old"}
