"""What becomes of one stored event of another system: a trigger through the common door, nothing, or a wait.

Safe to repeat at any point: the trigger's key is made of the system's own ids, so an event that is settled twice,
after a crash or a redelivery, starts nothing twice. What is missing on our side (a customer, a company's name, a
token) may come yet, so the event waits as the invoicing API's unclaimed events do and is then quarantined; what cannot
be right is quarantined at once; what failed on the way to the other system is tried until it answers.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.classify import classify
from billing.errors import BadInput, Conflict, UnknownCustomer
from billing.mappings import System
from billing.motions import Trigger
from billing.record import Fate
from connectors.http import BadAnswer, CallFailed
from records.events import Due
from records.session import Database
from starter.client import Engine
from starter.intake import Malformed
from starter.routing import Settled, Verdict, Waits, unclaimed, unforeseen
from starter.triggers import Later, trigger
from starter.vendors.calls import Nothing, NotYet, Vendor

_AGAIN: Final = "`billhook events replay` takes it up again"


class VendorRouter:
    """Settles notices; `later` takes over the starts that Temporal does not take at once."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        task_queue: str,
        vendors: Mapping[System, Vendor],
        later: Later,
        *,
        pauses: tuple[timedelta, ...],
    ) -> None:
        self._database, self._engine, self._task_queue = database, engine, task_queue
        self._vendors, self._later, self._pauses = vendors, later, pauses

    async def keys_of(self, rows: Sequence[Due]) -> dict[str, str | None]:
        """None: no invoice claims a notice, its lane alone keeps the order."""
        return dict.fromkeys((row.id for row in rows), None)

    async def settle(self, row: Due, key: str | None) -> Verdict:
        """Raises what the database raises; then nothing was settled."""
        vendor = self._vendors.get(System(row.source)) if row.source in {*System} else None
        if vendor is None:
            return Settled(Fate.QUARANTINED, f"this Billhook knows no system {row.source!r}")
        try:
            meaning = await vendor.meaning(row)
            if isinstance(meaning, Nothing):
                return Settled(Fate.IGNORED, meaning.reason)
            return await self._start(row, meaning)
        except CallFailed as error:
            return self._not_reached(row, error)
        except (BadAnswer, NotYet, UnknownCustomer) as error:
            return unclaimed(row, _words(error), self._pauses)
        except (BadInput, Conflict, Malformed) as error:
            return Settled(Fate.QUARANTINED, _words(error))

    def unforeseen(self, row: Due, error: Exception) -> Verdict:
        return unforeseen(row, error, self._pauses)

    async def _start(self, row: Due, body: Trigger) -> Verdict:
        intent = body.to_intent(triggered_by=f"{row.source} webhook")
        done = await trigger(self._database, self._engine, self._later, intent, self._task_queue)
        begins = "began with it" if done.created else "was there already, with the same payload"
        return Settled(Fate.APPLIED, f"{done.key} {begins}")

    def _not_reached(self, row: Due, error: CallFailed) -> Verdict:
        """A refusal may be mended (a token, a scope, a record that is not there yet); an outage passes by itself."""
        seen = classify(error)
        if isinstance(seen, ApplicationError) and seen.non_retryable:
            return unclaimed(row, f"{error}; check BILLHOOK_{row.source.upper()}_TOKEN and its scopes", self._pauses)
        pause = self._pauses[min(row.attempts, len(self._pauses) - 1)]
        delay = seen.next_retry_delay if isinstance(seen, ApplicationError) else None
        return Waits(datetime.now(UTC) + (delay or pause), str(error)[:500])


def _words(error: BadInput | Conflict | Malformed | BadAnswer) -> str:
    said = (str(error),) if isinstance(error, BadAnswer) else (error.detail, error.next_step)
    return "; ".join(filter(None, (*said, _AGAIN)))
