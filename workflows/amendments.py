"""What recipients gave reaches the CRM and our customer record: once per event, the latest event time wins."""

import hashlib
from collections.abc import Callable

from activities import signatures as step
from billing.lifecycle import FieldValue, Lifecycle
from billing.ownership import filled
from billing.told import READ_BACK
from workflows.requests import Requests
from workflows.state import InvoiceState
from workflows.steps import Steps


class Amendments:
    """Compares what the fold holds with what was synced, and syncs the difference."""

    def __init__(self, state: InvoiceState, steps: Steps, requests: Requests) -> None:
        self._state = state
        self._steps = steps
        self._say = steps.say
        self._requests = requests

    async def sync(self, life: Lifecycle, *, stoppable: bool) -> None:
        """Fields whose latest writer is not the one that was synced. Parks where the CRM refuses them."""
        if (build := self._news(life)) is not None:
            await self._steps.take(step.SYNC_FIELDS, build, stoppable=stoppable)
            self._mark(life)

    async def settle(self, life: Lifecycle) -> None:
        """The same after the end: what the CRM refuses now stays untold, and the timeline says so."""
        if (build := self._news(life)) is not None:
            await self._steps.settle(step.SYNC_FIELDS, build)
            self._mark(life)

    def _news(self, life: Lifecycle) -> Callable[[], step.SyncFields] | None:
        changed = {name: value for name, value in life.fields.items() if self._is_news(name, value)}
        if not changed:
            return None
        given = {name: step.GivenField(value=value.value, at=value.at) for name, value in changed.items()}
        names = ":".join(f"{name}={value.event_id}" for name, value in sorted(changed.items()))
        digest = hashlib.sha256(names.encode()).hexdigest()[:12]
        self._say.note("amended", "billhook", f"{', '.join(sorted(changed))} to the CRM and the customer record")
        return lambda: self._requests.sync(given, digest)

    def _mark(self, life: Lifecycle) -> None:
        changed = {name: value for name, value in life.fields.items() if self._is_news(name, value)}
        self._state.synced.update({name: value.event_id for name, value in changed.items()})

    def _is_news(self, name: str, given: FieldValue) -> bool:
        """What was read back is locked: another value, however late we hear of it, was not the last."""
        locked = self._state.read_back
        if name in locked and filled(locked[name]) != filled(given.value):
            return False
        return self._state.synced.get(name) != given.event_id

    async def read_back(self, locked: step.Locked) -> None:
        """Fields that the API holds otherwise than we sent them and than any event told us.

        The event that gave them has not reached us, so its time is not known: the earliest that it can have is taken,
        which may be that of the event before it, and a newer value from another invoice stays. When the event does
        come, it counts by its own time.
        """
        known = self._state.given_fields()
        values = {**self._state.carries, **{name: given.value for name, given in known.items()}}
        missed = {name: value for name, value in locked.fields.items() if filled(values.get(name)) != filled(value)}
        if not missed:
            return
        earliest = {name: known[name].at if name in known else self._state.began_at for name in missed}
        given = {name: step.GivenField(value=value, at=earliest[name]) for name, value in missed.items()}
        self._say.note("amended", "billhook", f"{', '.join(sorted(given))} {READ_BACK}")
        digest = f"v{self._state.issued_version}-locked"
        self._state.read_back = missed
        await self._steps.take(step.SYNC_FIELDS, lambda: self._requests.sync(given, digest), stoppable=False)
