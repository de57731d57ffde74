"""Connections and transactions. One `Database` per process; it knows what SQLite needs to be written from several.

SQLite has one writer: a write transaction begins IMMEDIATE, so that it waits at its start instead of failing in its
middle. Writers of one process queue on a lock, and the one whose turn it is asks every millisecond: SQLite's own busy
handler sleeps for up to a tenth of a second, and whoever comes meanwhile goes before. Where several set a new file to
WAL at once it does not wait at all.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import await_only

from records import migrate
from records.pool import ToldPool
from settings import Pool, async_url, make_folder

_BUSY_S: Final = 5.0
# Longer than any write of ours lasts, shorter than the 10 s that a local activity has.
_ASK_AGAIN_S: Final = 0.001
_SQLITE_READERS: Final = 10
_DEFAULT: Final = Pool()
_LENT: Final = """
SELECT least(
    current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),  -- since PostgreSQL 16
    nullif(rolconnlimit, -1),
    nullif(datconnlimit, -1)
) FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
"""
# the least that server, role and database allow


class Database:
    """The records at `url`; `postgresql://` and `sqlite:///` URLs get their async driver. Bound to one event loop.

    `pool` is for PostgreSQL. Raises BadInput where the folder of a file can neither be found nor made, and
    RecordsUnavailable in use where no connection is to be had.
    """

    def __init__(self, url: str, pool: Pool = _DEFAULT) -> None:
        parsed = make_url(async_url(url))
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        if self._is_sqlite and parsed.database:
            make_folder(Path(parsed.database).parent)
        self.engine: AsyncEngine = _sqlite_reader(parsed) if self._is_sqlite else _pooled(parsed, pool)
        self._writes = self.engine
        if self._is_sqlite:
            self._writes = _sqlite_writer(parsed)
            _prepare_sqlite(self.engine, _BUSY_S, lambda connection: connection.exec_driver_sql("BEGIN"))
        self._read_session = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._write_session = async_sessionmaker(self._writes, expire_on_commit=False, autoflush=False)
        self._writer = asyncio.Lock()

    @classmethod
    def existing(cls, url: str, pool: Pool = _DEFAULT) -> Self:
        """The records at `url` for who would not make them: SQLite makes a file by looking into it.

        Raises FileNotFoundError naming the file that is not there.
        """
        parsed = make_url(async_url(url))
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        if file and not file.startswith((":", "file:")) and not Path(file).exists():
            raise FileNotFoundError(f"there is no file {file}")
        return cls(url, pool)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """For reading; nothing is committed."""
        async with self._read_session() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """For writing; commits at the end, rolls back on an exception."""
        async with AsyncExitStack() as stack:
            if self._is_sqlite:
                await stack.enter_async_context(self._writer)
            session = await stack.enter_async_context(self._write_session())
            await stack.enter_async_context(session.begin())
            yield session

    async def upgrade(self) -> None:
        """Bring the schema to the newest revision; safe when several processes do it at once."""
        async with self._writes.begin() as connection:
            await connection.run_sync(migrate.upgrade)

    async def current(self) -> str | None:
        """The schema's revision, None before the first upgrade."""
        async with self.engine.connect() as connection:
            return await connection.run_sync(migrate.current)

    async def is_current(self) -> bool:
        """Whether the schema is the one this code was written for."""
        return await self.current() == migrate.head()

    async def connections(self) -> int | None:
        """How many the server lends to all processes of ours together; None for SQLite, which needs none."""
        if self._is_sqlite:
            return None
        async with self.session() as session:
            lent: int = (await session.execute(text(_LENT))).scalar_one()
            return lent

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        await self._writes.dispose()


def _pooled(url: URL, pool: Pool) -> AsyncEngine:
    return create_async_engine(
        url,
        poolclass=ToldPool,
        pool_size=pool.size,
        max_overflow=pool.overflow,
        pool_timeout=pool.wait_s,
        pool_recycle=pool.recycle_s,
        pool_pre_ping=pool.ping,
        connect_args={"timeout": pool.wait_s},
    )


def _sqlite_reader(url: URL) -> AsyncEngine:
    return create_async_engine(url, pool_size=_SQLITE_READERS)


def _sqlite_writer(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=1)
    _prepare_sqlite(engine, 0, _begin_writing)
    return engine


def _prepare_sqlite(engine: AsyncEngine, busy_s: float, begin: Callable[[Connection], object]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions of its own; `begin` says which kind.
        connection.isolation_level = None
        cursor = connection.cursor()
        # What is set may have to wait too; how long the rest waits is said last.
        cursor.execute(f"PRAGMA busy_timeout={int(1000 * _BUSY_S)}")
        _once_unlocked(lambda: cursor.execute("PRAGMA journal_mode=WAL"))
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={int(1000 * busy_s)}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "begin", begin)


def _begin_writing(connection: Connection) -> None:
    _once_unlocked(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _once_unlocked(ask: Callable[[], object]) -> None:
    """Raises OperationalError if others write for longer than any write of ours lasts."""
    give_up_at = time.monotonic() + _BUSY_S
    while True:
        try:
            ask()
        except (OperationalError, sqlite3.OperationalError) as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise
        else:
            return
        await_only(asyncio.sleep(_ASK_AGAIN_S))
