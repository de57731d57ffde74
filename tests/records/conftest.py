"""Every test of the records runs on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from records.session import Database
from tests.fresh import bring_up
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest_asyncio.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    """A database without a schema."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest_asyncio.fixture
async def db(empty: Database) -> Database:
    await bring_up(empty)
    return empty
