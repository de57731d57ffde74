"""Plans of monthly runs for the desk: each is read in the background, once for everybody who looks at it.

A plan of 100,000 subscriptions takes longer than a browser waits for a page, so a page says how far the reading is and
looks again. What was read is kept for a while; a reader who wants it anew says so.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from billing.groups import BillingGroup, first_day
from billing.run_plan import RunPlan
from starter.console.sessions import Clock
from starter.run_planning import RunPlanner

_LOG = structlog.get_logger(__name__)
_FRESH: Final = timedelta(minutes=10)
# Long enough to look at it and at what it names; a month that is over changes little in that time.
_KEPT: Final = 24
# Groups and months that people look at side by side.


@dataclass
class Reading:
    """One plan on its way: how many subscriptions were read, then what came of it, or that nothing did."""

    begun_at: datetime
    read: int = 0
    plan: RunPlan | None = None
    has_failed: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def is_done(self) -> bool:
        return self.plan is not None or self.has_failed


class Plans:
    """One is read at a time, so that lookers do not slow the doors of the same process down."""

    def __init__(self, planner: RunPlanner, clock: Clock) -> None:
        self._planner, self._clock = planner, clock
        self._readings: dict[tuple[str, str], Reading] = {}
        self._turn = asyncio.Semaphore(1)

    def of(self, group: BillingGroup, period: str) -> Reading:
        """The reading of this month's plan, begun now where there is none that is fresh. Raises BadInput."""
        first_day(period)
        held = self._readings.get((group.name, period))
        is_stale = held is not None and held.is_done and self._clock() - held.begun_at > _FRESH
        return self._begun(group, period) if held is None or is_stale else held

    def again(self, group: BillingGroup, period: str) -> None:
        """Read anew, unless it is being read. Raises BadInput."""
        first_day(period)
        held = self._readings.get((group.name, period))
        if held is None or held.is_done:
            self._begun(group, period)

    async def close(self) -> None:
        """No reading outlives the application."""
        tasks = [held.task for held in self._readings.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _begun(self, group: BillingGroup, period: str) -> Reading:
        reading = Reading(begun_at=self._clock())
        self._readings.pop((group.name, period), None)
        self._readings[group.name, period] = reading
        done = [place for place, held in self._readings.items() if held.is_done]
        for place in done[: max(0, len(self._readings) - _KEPT)]:
            del self._readings[place]
        reading.task = asyncio.create_task(self._read(reading, group, period))
        return reading

    async def _read(self, reading: Reading, group: BillingGroup, period: str) -> None:
        def told(read: int) -> None:
            reading.read = read

        async with self._turn:
            try:
                reading.plan = await self._planner.plan(group, period, self._clock(), told)
            except Exception:  # noqa: BLE001 - whoever looks hears that there is none
                reading.has_failed = True
                _LOG.exception("plan_failed", group=group.name, period=period)
