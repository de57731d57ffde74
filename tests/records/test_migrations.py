"""The way of the schema, up and down: each revision undoes all that it did, over rows too, on both databases."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    func,
    inspect,
    select,
    text,
)
from sqlmodel import SQLModel

from records import migrate
from records.session import Database

Schema = dict[str, dict[str, Any]]
"""By table: what it is made of, under words of its own."""

_VERSION: Final = "alembic_version"
_MORE_THAN_32_BITS: Final = 2**40
_AT: Final = datetime(2026, 10, 1, 9, tzinfo=UTC)
_BY_TYPE: Final[tuple[tuple[type, object], ...]] = (
    (JSON, {}),
    (BigInteger, _MORE_THAN_32_BITS),
    (Boolean, False),
    (Integer, 1),
    (DateTime, _AT),
    (Date, date(2026, 10, 1)),
    (LargeBinary, b"1"),
    (object, "1"),  # a text: short enough for every column, and JSON where it must be
)


def revisions() -> list[str]:
    """From the first to the newest."""
    found = ScriptDirectory.from_config(migrate.config()).walk_revisions()
    return [script.revision for script in reversed(list(found))]


async def moved(db: Database, move: Callable[[Config, str], None], revision: str) -> Schema:
    """What stands after `move`, in a transaction of its own as a release makes it."""

    def go(connection: Connection) -> None:
        found = migrate.config()
        found.attributes["connection"] = connection
        move(found, revision)

    async with db.engine.begin() as connection:
        await connection.run_sync(go)
    return await schema(db)


async def schema(db: Database) -> Schema:
    async with db.engine.connect() as connection:
        return await connection.run_sync(_schema)


def _schema(connection: Connection) -> Schema:
    look = inspect(connection)
    made_of: dict[str, Any] = {
        "primary key": look.get_multi_pk_constraint(),
        "foreign keys": look.get_multi_foreign_keys(),
        "indexes": look.get_multi_indexes(),
        "unique": look.get_multi_unique_constraints(),
        "checks": look.get_multi_check_constraints(),
    }
    return {
        name: {
            "columns": {one["name"]: _column(one, connection) for one in columns},
            **{word: _spelled(found[place, name]) for word, found in made_of.items()},
        }
        for (place, name), columns in look.get_multi_columns().items()
        if name != _VERSION
    }


def _column(found: Any, connection: Connection) -> tuple[str, bool, str | None]:
    return found["type"].compile(connection.dialect), found["nullable"], found["default"]


def _spelled(found: Any) -> Any:
    """In words and an order that compare: the condition of a partial index is an object of its own each time."""
    if isinstance(found, dict):
        return {word: _spelled(said) for word, said in found.items()}
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return sorted((_spelled(one) for one in found), key=str)
    return [_spelled(one) for one in found] if isinstance(found, list | tuple) else str(found)


def _alike(found: Schema, db: Database) -> Schema:
    """Without names that the database chose, and on SQLite with one kind of whole number: there is no other."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    for table in found.values():
        for key in [table["primary key"], *table["foreign keys"]]:
            del key["name"]
        if is_sqlite:
            table["columns"] = {
                name: (kind.replace("BIGINT", "INTEGER"), *more) for name, (kind, *more) in table["columns"].items()
            }
    return found


async def filled(db: Database) -> dict[str, int]:
    """A row in each table that has none; how many rows each has then."""
    async with db.transaction() as s:
        return await s.run_sync(lambda session: _filled(session.connection()))


def _filled(connection: Connection) -> dict[str, int]:
    there = MetaData()
    there.reflect(connection)
    tables = [table for table in there.sorted_tables if table.name != _VERSION]
    for table in tables:
        if not connection.scalar(select(func.count()).select_from(table)):
            connection.execute(table.insert().values({column.name: _value(column) for column in table.columns}))
    return _counted(connection)


async def counted(db: Database) -> dict[str, int]:
    async with db.engine.connect() as connection:
        return await connection.run_sync(_counted)


def _counted(connection: Connection) -> dict[str, int]:
    names = [name for name in inspect(connection).get_table_names() if name != _VERSION]
    return {name: connection.scalar(select(func.count()).select_from(text(name))) or 0 for name in names}


def _value(column: Column[Any]) -> object:
    return next(value for kind, value in _BY_TYPE if isinstance(column.type, kind))


async def test_each_revision_undoes_all_that_it_did_and_can_be_done_again(empty: Database) -> None:
    before: Schema = {}
    for revision in revisions():
        after = await moved(empty, command.upgrade, revision)
        assert await moved(empty, command.downgrade, "-1") == before, f"{revision} leaves something behind"
        assert await moved(empty, command.upgrade, revision) == after
        rows = await filled(empty)
        assert rows == dict.fromkeys(after, 1), f"{revision} lost rows"
        before = after
    assert await empty.is_current()


async def test_the_whole_way_down_and_up_again_keeps_the_rows_of_every_table_that_stands(empty: Database) -> None:
    stages = {revision: await moved(empty, command.upgrade, revision) for revision in revisions()}
    rows = await filled(empty)
    for revision, stage in reversed(list(stages.items())[:-1]):
        assert await moved(empty, command.downgrade, "-1") == stage, f"above {revision} something was left behind"
        assert await counted(empty) == {name: rows[name] for name in stage}
    assert await moved(empty, command.downgrade, "-1") == {}
    for revision, stage in stages.items():
        assert await moved(empty, command.upgrade, revision) == stage
        await filled(empty)
    assert await counted(empty) == rows


async def test_the_newest_revision_is_what_the_models_would_make(empty: Database) -> None:
    """Down to defaults, conditions of indexes and what may be empty, which Alembic's own comparison passes over."""
    await empty.upgrade()
    migrated = await schema(empty)
    assert await moved(empty, command.downgrade, "base") == {}
    async with empty.engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    assert _alike(migrated, empty) == _alike(await schema(empty), empty)
