"""The schema: migrated to what the models say, and holding nothing that is not ours to hold."""

import asyncio
import importlib
import pkgutil
import re

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlmodel import SQLModel

import billing
import records
from records import migrate
from records.session import Database

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


async def test_upgrading_again_changes_nothing(db: Database) -> None:
    await db.upgrade()
    assert await db.is_current()
