"""One absolute deadline as one timer, however often the workflow wakes in between."""

import asyncio
from datetime import datetime

from temporalio import workflow


class Alarm:
    """Rings once at `at` (aware UTC); an `at` of None never rings. `summary` names the timer in the Temporal UI."""

    def __init__(self, at: datetime | None, summary: str) -> None:
        self.at = at
        self._timer: asyncio.Task[None] | None = None
        if at is not None:
            left = max(0.0, (at - workflow.now()).total_seconds())
            self._timer = asyncio.create_task(workflow.sleep(left, summary=summary))

    @property
    def rang(self) -> bool:
        return self._timer is not None and self._timer.done() and not self._timer.cancelled()

    def stop(self) -> None:
        """Cancels the timer; a stopped alarm never rings."""
        if self._timer is not None and not self._timer.done():
            self._timer.cancel()
        self._timer = None
