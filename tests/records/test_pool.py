"""Connections to PostgreSQL: what the settings of the pool do, and what is said when none is to be had."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.exceptions import ApplicationError

from activities.classify import classify
from records.group import GroupCommit
from records.pool import PoolRanDry, RecordsUnavailable, ServerAway, ServerFull
from records.session import Database
from settings import Pool, Settings
from starter.cli.checks import services
from starter.cli.checks.finding import State
from starter.embedded.ports import free_ports

OF_ONE = Pool(size=1, overflow=0, wait_s=1)
Opened = Callable[[Pool], Database]


@pytest_asyncio.fixture
async def opened(postgres_url: str) -> AsyncIterator[Opened]:
    made: list[Database] = []

    def open_one(pool: Pool) -> Database:
        made.append(Database(postgres_url, pool))
        return made[-1]

    yield open_one
    for one in made:
        await one.close()


@asynccontextmanager
async def held(db: Database) -> AsyncIterator[int]:
    """A connection in use; the server's number of it."""
    async with db.session() as session:
        yield await session.scalar(text("SELECT pg_backend_pid()")) or 0


async def backend(db: Database) -> int:
    async with held(db) as number:
        return number


@pytest_asyncio.fixture
async def few(postgres_url: str) -> str:
    """The URL for a role that may have one connection."""
    role = f"few_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
    finally:
        await connection.close()
    return postgres_url.replace("postgres@", f"{role}@")


async def test_a_pool_that_ran_dry_says_how_many_there_are_and_serves_again_once_one_is_back(opened: Opened) -> None:
    db = opened(Pool(size=1, overflow=1, wait_s=1))
    async with held(db), held(db):
        with pytest.raises(PoolRanDry, match=r"all 2 connections .* for 1 s; try again .*BILLHOOK_DATABASE_POOL_SIZE"):
            await backend(db)
    assert await backend(db)


async def test_a_server_that_lends_no_more_is_told_apart_from_a_pool_that_ran_dry(few: str) -> None:
    db = Database(few, Pool(size=2, overflow=0, wait_s=30))
    try:
        async with held(db):
            with pytest.raises(ServerFull, match=r"takes no more connections; .*max_connections"):
                await backend(db)
        assert await backend(db)
    finally:
        await db.close()


async def test_a_server_that_does_not_answer_is_an_error_of_the_database_and_none_of_the_network() -> None:
    db = Database(f"postgresql://postgres@127.0.0.1:{free_ports(1)[0]}/records")
    with pytest.raises(ServerAway, match="does not answer") as away:
        await backend(db)
    assert isinstance(away.value.orig, OSError)


async def test_what_was_refused_otherwise_stays_as_it_is(opened: Opened, postgres_url: str) -> None:
    db = Database(f"{postgres_url}_that_is_not_there")
    with pytest.raises(DBAPIError, match="does not exist"):
        await backend(db)


@pytest.mark.parametrize("error", [PoolRanDry(15, 5), ServerFull(), ServerAway(OSError("refused"))])
def test_a_step_that_got_no_connection_is_retried_and_says_what_to_do(error: RecordsUnavailable) -> None:
    assert isinstance(error, SQLAlchemyError)
    found = classify(error)
    assert isinstance(found, ApplicationError)
    assert (found.non_retryable, found.type) == (False, error.slug)
    assert error.next_step in found.message


async def test_all_who_wait_for_one_commit_are_told_at_once_that_there_is_no_connection(opened: Opened) -> None:
    db = opened(OF_ONE)

    async def write(session: AsyncSession, items: Sequence[int]) -> Sequence[int]:
        await session.execute(text("SELECT 1"))
        return items

    group: GroupCommit[int, int] = GroupCommit(db, write)
    async with held(db):
        told = await asyncio.gather(*(group.put(number) for number in range(5)), return_exceptions=True)
    assert isinstance(told[0], PoolRanDry)
    assert all(one is told[0] for one in told), "each was tried by itself"


async def _ended(number: int, postgres_url: str) -> None:
    """As by a server that was restarted."""
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", number)
    finally:
        await connection.close()


async def test_a_connection_that_died_unused_is_found_by_asking_and_not_otherwise(
    opened: Opened, postgres_url: str
) -> None:
    asks, trusts = opened(Pool(ping=True)), opened(Pool(ping=False))
    for db in (asks, trusts):
        await _ended(await backend(db), postgres_url)
    assert await backend(asks)
    with pytest.raises(DBAPIError):
        await backend(trusts)


async def test_a_connection_is_used_again_until_it_is_too_old(opened: Opened) -> None:
    kept, replaced = opened(Pool()), opened(Pool(recycle_s=0))
    assert await backend(kept) == await backend(kept)
    assert await backend(replaced) != await backend(replaced)


async def test_a_connection_beyond_the_kept_ones_is_given_back_to_the_server(opened: Opened) -> None:
    db = opened(Pool(size=1, overflow=1))
    async with held(db) as one, held(db) as other:
        before = {one, other}
    async with held(db) as one, held(db) as other:
        assert len(before & {one, other}) == 1


def test_the_settings_are_the_pools() -> None:
    assert Settings().pool == Pool()
    found = Settings(
        database_pool_size=3,
        database_pool_overflow=4,
        database_pool_wait_s=0.5,
        database_pool_recycle_s=60,
        database_pool_ping=False,
    )
    assert found.pool == Pool(size=3, overflow=4, wait_s=0.5, recycle_s=60, ping=False)


def test_two_of_each_kind_of_process_stay_below_what_postgresql_lends_by_default() -> None:
    assert 6 * Pool().most <= 100 - 3


async def test_doctor_compares_what_processes_may_open_with_what_the_server_lends(few: str, postgres_url: str) -> None:
    [enough] = await services.connections(Settings(database_url=postgres_url))
    assert (enough.state, enough.text) == (
        State.OK,
        "97 are lent and a process opens at most 15: enough for 6 processes",
    )
    [short] = await services.connections(Settings(database_url=postgres_url, database_pool_size=50))
    assert short.state is State.WARNING
    assert "BILLHOOK_DATABASE_POOL_SIZE" in short.next_step
    [of_a_role] = await services.connections(Settings(database_url=few))
    assert of_a_role.text.startswith("1 are lent")
    assert await services.connections(Settings(database_url="sqlite:///never-opened.db")) == []
