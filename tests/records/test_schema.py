"""The schema: migrated to what the models say, and holding nothing that is not ours to hold."""

import asyncio
import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pydantic import BaseModel
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

import billing
import records
from records import migrate
from records.session import Database
from tests.records.make import KEY, with_intent

_FOREIGN = re.compile(r"(^|_)(number|pdf)($|_)|invoice_?no", re.IGNORECASE)
_ALLOWED = {
    "po_number",  # the recipient's own number, not the invoice's
    "Entry.number",  # counts the lines of a timeline
}


def _load(package: object) -> None:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):  # type: ignore[attr-defined]
        if ".migrations" not in module.name:
            importlib.import_module(module.name)


def _models(base: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model for model in base.__subclasses__() if model.__module__.split(".")[0] in {"billing", "records"}}
    return found.union(*(_models(model) for model in base.__subclasses__()))


def test_no_table_has_a_column_for_an_invoice_number_or_a_pdf() -> None:
    columns = {f"{table.name}.{column.name}" for table in SQLModel.metadata.tables.values() for column in table.columns}
    assert len(columns) > 80
    assert not [name for name in columns if _FOREIGN.search(name.split(".")[1]) and "po_number" not in name]


def test_no_payload_model_has_a_field_for_an_invoice_number_or_a_pdf() -> None:
    _load(billing)
    _load(records)
    models = _models(BaseModel)
    assert len(models) > 40
    fields = {f"{model.__name__}.{name}" for model in models for name in model.model_fields}
    suspects = {name for name in fields if _FOREIGN.search(name.split(".")[1])}
    assert {name for name in suspects if name not in _ALLOWED and name.split(".")[1] not in _ALLOWED} == set()


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": False, "render_as_batch": True})
    return list(compare_metadata(context, SQLModel.metadata))


async def test_the_migrations_lead_to_exactly_the_tables_of_the_models(db: Database) -> None:
    async with db.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_an_empty_database_is_not_current_and_an_upgraded_one_is(empty: Database) -> None:
    assert await empty.current() is None
    assert not await empty.is_current()
    await empty.upgrade()
    assert await empty.current() == migrate.head()
    assert await empty.is_current()


async def test_processes_that_upgrade_at_once_do_not_trip_over_each_other(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    try:
        await asyncio.gather(*(database.upgrade() for database in databases))
        assert await databases[0].is_current()
    finally:
        for database in databases:
            await database.close()


async def test_a_new_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    """SQLite refuses to set it to WAL at once, however long its busy timeout is."""
    file = tmp_path / "records.db"
    database = Database(f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        upgrading = asyncio.create_task(database.upgrade())
        await asyncio.wait({upgrading}, timeout=0.2)
        assert not upgrading.done()
        other.execute("ROLLBACK")
        await upgrading
    assert await database.is_current()
    await database.close()


async def test_upgrading_again_changes_nothing(db: Database) -> None:
    await db.upgrade()
    assert await db.is_current()


def _moved(move: Callable[..., None], revision: str) -> Callable[[Connection], None]:
    def to(connection: Connection) -> None:
        found = migrate.config()
        found.attributes["connection"] = connection
        move(found, revision)

    return to


async def test_decisions_keep_their_order_when_they_come_to_be_known_by_their_place(db: Database) -> None:
    await with_intent(db)
    async with db.engine.begin() as connection:
        await connection.run_sync(_moved(command.downgrade, "0005"))
        for minute, digest in ((2, "aa"), (1, "bb"), (1, "cc")):
            at = f"2026-10-01 09:0{minute}:00+00:00"
            said = "'cancel', :digest, 'r1', 'r1', '', 'api'"
            statement = f"INSERT INTO decisions VALUES (:key, :digest, '{at}', {said})"  # noqa: S608 - words of this test
            await connection.execute(text(statement), {"key": KEY, "digest": digest})
        await connection.run_sync(_moved(command.upgrade, "head"))
        rows = await connection.execute(text("SELECT position, actor FROM decisions ORDER BY position"))
        assert [tuple(row) for row in rows] == [(1, "bb"), (2, "cc"), (3, "aa")]
        await connection.run_sync(_moved(command.downgrade, "0005"))
        await connection.run_sync(_moved(command.upgrade, "head"))
        rows = await connection.execute(text("SELECT position, actor FROM decisions ORDER BY position"))
        assert [tuple(row) for row in rows] == [(1, "bb"), (2, "cc"), (3, "aa")]
