"""Commands that open our own database, as the operator on the machine: no API and no token in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from starter.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from records.session import Database

_T = TypeVar("_T")


def with_database(work: "Callable[[Database], Awaitable[_T]]") -> _T:
    """The answer of `work`. Raises Stop(UNREACHABLE) where the database cannot be used."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - commands load what they need when they run

    from records.session import Database  # noqa: PLC0415
    from settings import load_settings  # noqa: PLC0415

    async def run() -> _T:
        settings = load_settings()
        database = Database(settings.database, settings.pool)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise Stop(
            Exit.UNREACHABLE,
            f"cause: the database cannot be used: {cause}",
            "next:  check BILLHOOK_DATA_DIR and BILLHOOK_DATABASE_URL, then run `billhook db upgrade`",
        ) from error
