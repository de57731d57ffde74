"""What SQLite and PostgreSQL share beyond standard SQL: inserts that know what to do on a conflict; cursors."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, CursorResult, RowMapping, Select, Table, literal, tuple_
from sqlalchemy import inspect as inspect_model
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import SQLModel

from billing.errors import BadInput
from records.tables import Utc

MAX_PAGE: Final = 200
# One screenful many times over, and small enough to assemble in a few milliseconds.
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def table(model: type[SQLModel]) -> Table:
    """The model's table. Statements use it directly: writing through the ORM's unit of work costs twice the time."""
    return cast("Table", inspect_model(model, raiseerr=True).local_table)


def insert(s: AsyncSession, model: type[SQLModel]) -> sqlite.Insert:
    """An insert that has `on_conflict_do_nothing` and `on_conflict_do_update`, in the session's own dialect."""
    return insert_for(s.get_bind().dialect.name, model)


def insert_for(dialect: str, model: type[SQLModel]) -> sqlite.Insert:
    """The same for a dialect by name, for statements that are built once."""
    if dialect == "postgresql":
        # Both dialects spell these two methods alike, though no common type says so.
        return cast("sqlite.Insert", postgresql.insert(table(model)))
    return sqlite.insert(table(model))


async def affected(s: AsyncSession, statement: Any, values: Values | None = None) -> int:
    """Run a write; how many rows it touched."""
    result = await s.execute(statement, values)
    return cast("CursorResult[Any]", result).rowcount


async def returned(s: AsyncSession, statement: ReturningInsert[Any] | Any) -> bool:
    """Run a write with RETURNING; whether it touched a row."""
    return (await s.execute(statement)).first() is not None


def now() -> datetime:
    """When we wrote it down; only for columns that say so, never for business time."""
    return datetime.now(UTC)


def to_cursor(*parts: str) -> str:
    """An opaque place in a list."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def from_cursor(cursor: str, size: int) -> list[str]:
    """Its `size` parts. Raises BadInput on a cursor that is not one of ours."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _no_cursor() from error
    if not isinstance(parts, list) or len(parts) != size or not all(isinstance(part, str) for part in parts):
        raise _no_cursor()
    return parts


async def paged(
    s: AsyncSession,
    query: Select[Any],
    place: Sequence[ColumnElement[Any]],
    *,
    cursor: str | None,
    limit: int,
    newest_first: bool = False,
) -> tuple[Sequence[RowMapping], str | None]:
    """The rows of one page and the cursor of the next, None on the last.

    `place` are columns that `query` selects under their own names: they order the list, and name each row once. Raises
    BadInput on a cursor that is not of this list.
    """
    if cursor is not None:
        after = tuple_(*_values(place, from_cursor(cursor, len(place))))
        query = query.where(tuple_(*place) < after if newest_first else tuple_(*place) > after)
    ordered = query.order_by(*(column.desc() if newest_first else column for column in place))
    rows = (await s.execute(ordered.limit(page_size(limit) + 1))).mappings().all()
    shown = rows[: page_size(limit)]
    last = shown[-1] if len(rows) > len(shown) else None
    return shown, to_cursor(*(_spelled(last[column.name]) for column in place)) if last else None


def _values(place: Sequence[ColumnElement[Any]], parts: Sequence[str]) -> list[ColumnElement[Any]]:
    """The parts of a cursor as values of the columns they were read from."""
    return [
        literal(time_of(part) if isinstance(column.type, Utc) else part, column.type)
        for column, part in zip(place, parts, strict=True)
    ]


def _spelled(value: datetime | str) -> str:
    return value.isoformat() if isinstance(value, datetime) else value


def time_of(part: str) -> datetime:
    """The time in a part of a cursor. Raises BadInput."""
    try:
        return datetime.fromisoformat(part).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _no_cursor() from error


def _no_cursor() -> BadInput:
    return BadInput("cursor", "it is no cursor of this list", "send back next_cursor as it came, or leave it out")


def page_size(limit: int) -> int:
    """`limit` within what one page may hold."""
    return max(1, min(limit, MAX_PAGE))
