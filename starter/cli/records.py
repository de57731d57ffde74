"""Commands that open our own database, as the operator on the machine: no API and no token in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from starter.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from records.session import Database
    from settings import Settings

_T = TypeVar("_T")


@asynccontextmanager
async def opened(settings: "Settings", *, make: bool = False) -> "AsyncIterator[Database]":
    """The database that `settings` name, closed at the end; one that is not there is made only where that is said.

    Raises SQLAlchemyError or OSError, in use too.
    """
    from records.session import Database  # noqa: PLC0415 - commands load what they need when they run

    there = Database if make else Database.existing
    database = there(settings.database, settings.pool)
    try:
        yield database
    finally:
        await database.close()


def with_database(work: "Callable[[Database], Awaitable[_T]]", *, make: bool = False) -> _T:
    """The answer of `work`; a database that is not there is made only where that is said.

    Raises Stop(UNREACHABLE) where it cannot be used.
    """
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from settings import load_settings  # noqa: PLC0415

    async def run() -> _T:
        async with opened(load_settings(), make=make) as database:
            return await work(database)

    try:
        return asyncio.run(run())
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise Stop(
            Exit.UNREACHABLE,
            f"cause: the database cannot be used: {cause}",
            "next:  check BILLHOOK_DATA_DIR and BILLHOOK_DATABASE_URL, then run `billhook db upgrade`",
        ) from error
