"""Events that no webhook brought, derived from what the API says of an invoice.

Times: an approval has its own; a view and a version have theirs where the history tells them. An amendment has none, so
it gets the earliest that is possible: right after the last amendment of that field that we know, or after the sending.
There it loses against every true event of the field that is still to come, and wins against all that we have. A void
has none either and gets the present: an end that is dated too early would take events away that came before it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from billing.events import Change, ChangeRequest, EventData, EventType, InvoiceEvent
from billing.held import Held
from billing.intent import canonical_hash
from billing.keys import reconciled_event_id
from billing.lifecycle import Lifecycle
from billing.ownership import RECIPIENT_FIELDS, filled
from billing.remote import Details, RemoteInvoice, RemoteRequest

_NEXT: Final = timedelta(microseconds=1)
# The API's own resolution of event times.


class Maker:
    """Makes the events of one invoice."""

    def __init__(self, remote: RemoteInvoice, held: Held, life: Lifecycle, details: Details) -> None:
        self._remote, self._held, self._life, self._details = remote, held, life, details

    @property
    def _earliest(self) -> datetime:
        return self._remote.sent_at or self._remote.created_at or self._held.since

    def approved(self, now: datetime) -> InvoiceEvent:
        return self._event(EventType.APPROVED, f"v{self._remote.version}:approved", self._remote.approved_at or now)

    def voided(self, now: datetime) -> InvoiceEvent:
        return self._event(EventType.VOIDED, "voided", now)

    def viewed(self) -> InvoiceEvent:
        told = self._details.of(self._remote.version)
        at = told.viewed_at or told.created_at or self._earliest
        return self._event(EventType.VIEWED, f"v{self._remote.version}:viewed", at)

    def sent(self) -> InvoiceEvent:
        at = self._details.of(self._remote.version).created_at or self._earliest
        return self._event(EventType.SENT, f"v{self._remote.version}:sent", at)

    def requested(self, request: RemoteRequest) -> InvoiceEvent:
        """Raises ValueError without a time: when a change was asked decides until when it must be answered."""
        if request.at is None:
            raise ValueError("a change request without a time cannot be told")
        asked = ChangeRequest(id=request.id, message=request.message, proposed=request.proposed)
        made = self._event(EventType.CHANGE_REQUESTED, f"request:{request.id}", request.at, change_request=asked)
        return made.model_copy(update={"data": made.data.model_copy(update={"version": request.version})})

    def amended(self) -> Iterator[tuple[str, InvoiceEvent]]:
        """One event per field that the API holds otherwise than anything we know would have it."""
        known = {**self._held.known, **{name: given.value for name, given in self._life.fields.items()}}
        for name in RECIPIENT_FIELDS:
            before, after = filled(known.get(name)), filled(self._remote.recipient_fields.get(name))
            if before != after:
                yield name, self._amended(name, before, after)

    def _amended(self, name: str, before: Any, after: Any) -> InvoiceEvent:
        last = self._life.fields.get(name)
        at = max(self._earliest, last.at) if last else self._earliest
        digest = canonical_hash({"to": after, "after": last.event_id if last else ""})[:16]
        change = {name: Change(from_=before, to=after)}
        return self._event(EventType.AMENDED, f"amended:{name}:{digest}", at + _NEXT, changes=change)

    def _event(self, kind: EventType, what: str, at: datetime, **more: Any) -> InvoiceEvent:
        data = EventData(
            invoice_id=self._remote.external_id,
            reference=self._held.key,
            version=self._remote.version,
            status=self._remote.status,
            **more,
        )
        return InvoiceEvent(
            id=reconciled_event_id(self._remote.external_id, what), type=kind.value, created_at=at, data=data
        )
