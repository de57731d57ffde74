"""When each token was last used, to the minute: `billhook token list` shows it, so that nobody keeps an idle one.

Written beside the request, never before its answer: a read must not wait for whoever writes to the records.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from records import tokens
from records.session import Database

EVERY_S: Final = 60.0
# A token that is used all day costs a write a minute and process.

log = structlog.get_logger(__name__)


class Uses:
    """`clock` counts seconds and never goes back."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database, self._clock = database, clock
        self._noted: dict[str, float] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, sha256: str) -> None:
        """A live token was used."""
        now = self._clock()
        if now - self._noted.get(sha256, -EVERY_S) >= EVERY_S:
            self._noted[sha256] = now
            task = asyncio.create_task(self._write(sha256))
            # The loop itself holds a task weakly.
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writing)

    async def _write(self, sha256: str) -> None:
        try:
            async with self._database.transaction() as session:
                await tokens.note_use(session, sha256)
        except (SQLAlchemyError, OSError) as error:
            log.warning("use_of_token_not_noted", kind=type(error).__name__)
