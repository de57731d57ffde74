"""A page of a monthly run: chunk by chunk closed, built, registered, and only then started.

A worker may die anywhere. The heartbeat names the last subscription whose chunk is started whole; the next try goes on
behind it, finds what was registered after that by its keys, and starts what of it is not started.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import run_steps
from billing.intent import Intent
from records import intents, runs
from records.runs import Run
from records.session import Database

_STARTS_AT_ONCE: Final = 10
# A start costs the engine some 10 ms; more at once only wait there, before everybody else's.
_LOOK_AGAIN_S: Final = 0.1
# An invoice takes tenths of a second at the least; a count costs a millisecond.
MOST_OPEN: Final = 200
# A fifth of what the dev server holds before its calls time out.

Start = Callable[[Intent], Awaitable[bool]]


class UsageRunActivities:
    """`start` starts an invoice's workflow by its key; whether it was this call that did makes no difference.
    `most_open` is the setting `run_most_open`."""

    def __init__(self, database: Database, start: Start, most_open: int = MOST_OPEN) -> None:
        self._database, self._start, self._most_open = database, start, most_open

    @activity.defn(name=run_steps.PAGE)
    async def page(self, asked: run_steps.RunPage) -> run_steps.RunPageDone:
        """Raises BadInput on a period that is none, and whatever database and engine raise, which is tried again."""
        run = Run(group=asked.group, period=asked.period, id=asked.run, by=asked.by, at=asked.at)
        place = _Place.of(asked)
        if not place.after:
            async with self._database.transaction() as session:
                await runs.begin(session, run)
        most_open = asked.most_open or self._most_open
        # Half of what may be on its way at the most, so that the next ones are begun before the last one is out.
        chunk = max(1, min(asked.chunk, most_open // 2))
        while place.read < asked.page:
            limit = min(chunk, asked.page - place.read)
            held_ms = await self._room(most_open - limit, place)
            async with self._database.transaction() as session:
                made = await runs.take_page(session, run, place.after, limit, held_ms)
            if not made:
                return await self._finished(run, place)
            await self._start_all([one.key for one in made if one.key], place)
            place.advance(made[-1].subscription_id, len(made))
        return run_steps.RunPageDone(after=place.after, read=place.read, is_last=False)

    async def _finished(self, run: Run, place: "_Place") -> run_steps.RunPageDone:
        async with self._database.transaction() as session:
            await runs.finish(session, run)
        return run_steps.RunPageDone(after=place.after, read=place.read, is_last=True)

    async def _room(self, most: int, place: "_Place") -> int:
        """Until no more than that are on their way, by our records; how long that took, in milliseconds."""
        began = time.monotonic()
        while await self._on_the_way() > most:
            place.beat()
            await asyncio.sleep(_LOOK_AGAIN_S)
        return int(1000 * (time.monotonic() - began))

    async def _on_the_way(self) -> int:
        async with self._database.session() as session:
            return await runs.on_the_way(session)

    async def _start_all(self, keys: list[str], place: "_Place") -> None:
        """Those that have no workflow: this chunk's own, and what an earlier try left."""
        async with self._database.session() as session:
            waiting = await intents.unstarted_among(session, keys)
        for first in range(0, len(waiting), _STARTS_AT_ONCE):
            await self._start_some(waiting[first : first + _STARTS_AT_ONCE])
            place.beat()

    async def _start_some(self, waiting: list[Intent]) -> None:
        answers = await asyncio.gather(*map(self._start, waiting), return_exceptions=True)
        async with self._database.transaction() as session:
            for intent, answer in zip(waiting, answers, strict=True):
                if not isinstance(answer, BaseException):
                    await intents.mark_started(session, intent.key)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer


class _Place:
    """How far a page is: told to the server with every beat, and read from there when it is tried again."""

    def __init__(self, after: str, read: int) -> None:
        self.after, self.read = after, read

    @classmethod
    def of(cls, asked: run_steps.RunPage) -> "_Place":
        told = activity.info().heartbeat_details
        return cls(str(told[0]), int(told[1])) if told else cls(asked.after, 0)

    def advance(self, after: str, read: int) -> None:
        self.after, self.read = after, self.read + read
        self.beat()

    def beat(self) -> None:
        """Raises ApplicationError while the worker is being stopped, so that another one takes over at once."""
        activity.heartbeat(self.after, self.read)
        if activity.is_worker_shutdown():
            raise ApplicationError("the worker is being stopped; the next one goes on", type="WorkerStopping")
