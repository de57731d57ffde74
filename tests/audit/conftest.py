"""Sound books, played once per process on a real stack and left there for every test to copy and spoil."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit import paths
from tests.audit.tampered import Books
from tests.stack import running_stack


@pytest.fixture(scope="session")
def played(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    folder = tmp_path_factory.mktemp("books")
    with asyncio.Runner() as runner:
        yield runner.run(_played(temporal_address, folder))


async def _played(address: str, folder: Path) -> Books:
    async with running_stack(address, folder) as stack:
        keys = await paths.play(stack)
        truth, mails = await stack.truth(), list(stack.mailbox.mails)
        journal = stack.settings.ledger.read_text()
    records = folder / "billhook.db"
    with sqlite3.connect(records) as connection:
        # One file from here on, so that copying it copies all.
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    return Books(records, truth, journal, mails, keys, address)


@pytest.fixture
def books(played: Books, tmp_path: Path) -> Books:
    """A copy to spoil."""
    return played.copied(tmp_path)
