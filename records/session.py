"""Connections and transactions. One `Database` per process; it knows what SQLite needs to be written from several.

SQLite has one writer: a write transaction begins IMMEDIATE, so that it waits at its start instead of failing in its
middle, and writers of one process queue on a lock, which is fairer and quicker than SQLite's sleeping busy handler.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from records import migrate
from settings import async_url

_BUSY_MS: Final = 5_000
# Longer than any write of ours lasts, shorter than the 10 s that a local activity has.
_WRITE: Final = "billhook_write"
_POOL: Final = 10


class Database:
    """The records at `url`; `postgresql://` and `sqlite:///` URLs get their async driver. Bound to one event loop."""

    def __init__(self, url: str) -> None:
        parsed = make_url(async_url(url))
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        if self._is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine: AsyncEngine = create_async_engine(parsed, pool_size=_POOL, pool_pre_ping=not self._is_sqlite)
        if self._is_sqlite:
            _prepare_sqlite(self.engine)
        self._writes = self.engine.execution_options(**{_WRITE: True})
        self._read_session = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._write_session = async_sessionmaker(self._writes, expire_on_commit=False, autoflush=False)
        self._writer = asyncio.Lock()

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

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions of its own; `begin` below says which kind.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
