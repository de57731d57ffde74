"""Two views of one invoice, the API's and ours: where they differ, what heals it, and what only a person can do.

What the API did and no webhook told is healed by an event that we derive and feed through the same door as a webhook.
Its id is made of what it says, so that looking again finds it stored. Its time is the best that the API tells, and
where it tells none the earliest possible: an event that is only derived must lose against any true one, whenever that
comes. Nothing here decides anything about money; what differs there is a person's, with a proposed step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from billing import synthetic
from billing.events import InvoiceEvent
from billing.held import Held
from billing.lifecycle import Lifecycle
from billing.record import Status
from billing.remote import Details, RemoteInvoice

GRACE: Final = timedelta(minutes=2)
# What changed a moment ago: its webhook may be on its way, and a provider's first redeliveries take about that long.
STUCK: Final = timedelta(hours=2)
# Longer than the dispatcher tries an event that nobody claims.
_OPEN: Final = frozenset({"sent", "viewed", "change_requested"})
_LOCKED: Final = frozenset({"approved", "paid"})


class Difference(StrEnum):
    """The classes of the contract; `unreadable` is an answer that we could not compare at all."""

    MISSED_EVENT = "missed_event"
    STATE_BEHIND = "state_behind"
    DRAFT_WITHOUT_RECORD = "draft_without_record"
    RECORD_WITHOUT_INVOICE = "record_without_invoice"
    AMOUNT_DIFFERS = "amount_differs"
    VERSION_DIFFERS = "version_differs"
    UNKNOWN_INVOICE = "unknown_invoice"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Found:
    """One difference: the evidence in words, the event that heals it, what a person should do (empty: nothing)."""

    difference: Difference
    evidence: str
    next_step: str = ""
    event: InvoiceEvent | None = None


def is_moving(remote: RemoteInvoice, held: Held | None, now: datetime, grace: timedelta) -> bool:
    """Too fresh to compare: what looks like a difference is most likely a webhook or a step on its way."""
    times = [at for at in (remote.created_at, remote.sent_at, remote.approved_at) if at is not None]
    if any(timedelta() <= now - at < grace for at in times):
        return True
    if held is None:
        return False
    waits_for_id = held.external_id is None and not held.status.is_end
    return waits_for_id or held.moved_within(grace)


def wants_details(remote: RemoteInvoice, held: Held) -> bool:
    """Whether the list entry leaves open when something happened, or what was asked."""
    if held.status.is_end or remote.status not in _OPEN:
        return False
    life = held.life(remote.external_id, _version_of(held, remote))
    if remote.version > life.version or remote.status == "change_requested":
        return remote.version > life.version or not life.cases
    return remote.status == "viewed" and remote.version not in life.viewed_versions


def compare(remote: RemoteInvoice, held: Held | None, now: datetime, details: Details | None = None) -> list[Found]:
    """Every difference, in the order in which their events happened. Ask `is_moving` first."""
    if held is None:
        return list(_without_record(remote))
    if held.external_id not in {None, remote.external_id}:
        return list(_second(remote, held))
    return list(_Comparison(remote, held, now, details or Details()).run())


def without_invoice(held: Held) -> Found | None:
    """We hold it, the API has none of that id. A discarded draft leaves nothing behind, and that is in order."""
    if held.status in {Status.CANCELLED, Status.REJECTED}:
        return None
    step = "bill it anew" if held.issued else f"`billhook invoice cancel {held.key}`, then bill it anew"
    evidence = f"we hold it as {held.status.value}; the API has no invoice of that id"
    return Found(Difference.RECORD_WITHOUT_INVOICE, evidence, f"ask who deleted it at the invoicing API; {step}")


def _without_record(remote: RemoteInvoice) -> Iterator[Found]:
    if remote.status == "voided":
        return
    ours = bool(remote.reference and remote.reference.startswith("invoice:"))
    if ours and remote.status == "draft":
        evidence = f"a draft over {remote.total} names {remote.reference}, of which we hold no intent"
        step = "discard the draft at the invoicing API, or send the trigger again if it should be billed"
        yield Found(Difference.DRAFT_WITHOUT_RECORD, evidence, step)
    elif ours:
        evidence = f"a {remote.status} invoice over {remote.total} names {remote.reference}, of which we hold no intent"
        step = "restore our records from a backup that has it, or void it at the invoicing API"
        yield Found(Difference.UNKNOWN_INVOICE, evidence, step)
    else:
        evidence = f"a {remote.status} invoice over {remote.total} that Billhook did not make"
        step = "nothing, if somebody made it by hand on purpose; else discard or void it at the invoicing API"
        yield Found(Difference.UNKNOWN_INVOICE, evidence, step)


def _second(remote: RemoteInvoice, held: Held) -> Iterator[Found]:
    if remote.status != "voided":
        evidence = f"a second {remote.status} invoice names {held.key}; ours is {held.external_id}"
        verb = "discard" if remote.status == "draft" else "void"
        yield Found(Difference.UNKNOWN_INVOICE, evidence, f"{verb} the one that is not ours at the invoicing API")


def _version_of(held: Held, remote: RemoteInvoice) -> int:
    """The version that we issued last: the record may already speak of the next, which the API does not have yet."""
    return held.version if held.is_out else min(held.version, remote.version)


class _Comparison:
    """One invoice that both sides hold."""

    def __init__(self, remote: RemoteInvoice, held: Held, now: datetime, details: Details) -> None:
        self._remote, self._held, self._now, self._details = remote, held, now, details
        self._life: Lifecycle = held.life(remote.external_id, _version_of(held, remote))
        self._make = synthetic.Maker(remote, held, self._life, details)

    def run(self) -> Iterator[Found]:
        if self._remote.status == "draft":
            yield from self._draft()
        elif self._held.status in {Status.CANCELLED, Status.REJECTED}:
            yield from self._ended()
        elif self._remote.status == "voided":
            yield from self._voided()
        elif not self._held.issued:
            yield from self._issued_there()
        else:
            yield from self._issued()

    def _draft(self) -> Iterator[Found]:
        held, total = self._held, self._remote.total
        if held.status in {Status.CANCELLED, Status.REJECTED}:
            yield self._behind("discard the draft at the invoicing API; no number was used")
        elif held.issued:
            yield self._behind("issue the draft at the invoicing API, or ask the provider what became of the invoice")
        elif held.status is Status.AWAITING_APPROVAL and total != held.total:
            step = f"set the draft right at the invoicing API, or `billhook invoice reject {held.key}`"
            yield Found(Difference.AMOUNT_DIFFERS, f"the draft is over {total}, ours is {held.total}", step)

    def _ended(self) -> Iterator[Found]:
        if self._remote.status == "voided" or self._held.closed_unbilled:
            return
        if self._remote.status in _LOCKED:
            yield self._behind("the recipient approved what we withdrew: bill it by hand, or agree on a credit note")
        else:
            yield self._behind("void it at the invoicing API: its recipient can still approve it")

    def _voided(self) -> Iterator[Found]:
        if self._held.status in {Status.APPROVED, Status.BILLED} or self._life.approved_at:
            yield self._behind("ask who voided an approved invoice; reverse the posting if it is right")
        elif self._life.voided_at is None:
            yield self._missed("it was voided there", self._make.voided(self._now))
        else:
            yield from self._stuck()

    def _issued_there(self) -> Iterator[Found]:
        """It left as a draft of ours and was issued, which we do not know of."""
        held = self._held
        if held.status is Status.AWAITING_APPROVAL:
            yield self._behind(
                f"void it at the invoicing API and `billhook invoice cancel {held.key}`, or approve it here"
            )
        elif held.status is Status.NEEDS_ATTENTION:
            yield self._behind(f"mend the cause, then `billhook invoice retry {held.key}`")

    def _issued(self) -> Iterator[Found]:
        remote, held = self._remote, self._held
        if remote.version != held.version and not (remote.version < held.version and not held.is_out):
            yield self._version()
        elif held.is_out and remote.total != held.total:
            step = "compare the two; correct it by a next version, or void it and bill anew"
            yield Found(Difference.AMOUNT_DIFFERS, f"the API says {remote.total}, ours is {held.total}", step)
        if remote.status in _LOCKED:
            yield from self._approved()
        elif held.status in {Status.APPROVED, Status.BILLED}:
            yield self._behind("ask the provider how an approved invoice came to be open again")
        else:
            yield from self._open()

    def _version(self) -> Found:
        remote, held = self._remote, self._held
        evidence = f"the API has V{remote.version} over {remote.total}, ours is V{held.version} over {held.total}"
        unknown = remote.version > self._life.version and remote.status not in _LOCKED
        step = f"V{remote.version} was made by hand; void the invoice there and bill anew, or agree on our version"
        event = self._make.sent() if unknown else None
        fed = event is not None and held.stored(event.id) is not None
        return Found(Difference.VERSION_DIFFERS, evidence, step, None if fed else event)

    def _approved(self) -> Iterator[Found]:
        if self._held.status in {Status.APPROVED, Status.BILLED}:
            return
        if self._life.approved_at is None:
            yield self._missed(f"V{self._remote.version} was approved there", self._make.approved(self._now))
        else:
            yield from self._stuck()

    def _open(self) -> Iterator[Found]:
        missed = list(self._missed_while_open())
        yield from missed
        if not missed:
            yield from self._stuck()

    def _missed_while_open(self) -> Iterator[Found]:
        remote, life = self._remote, self._life
        for name, event in self._make.amended():
            yield self._missed(f"{name} was amended there", event)
        if remote.status == "viewed" and remote.version not in life.viewed_versions:
            yield self._missed(f"V{remote.version} was seen", self._make.viewed())
        if remote.status == "change_requested" and not life.cases:
            yield from self._requests()

    def _requests(self) -> Iterator[Found]:
        asked = [one for one in self._details.requests or () if one.is_open]
        told = [one for one in asked if one.at is not None and one.id not in self._held.cases]
        for request in told:
            yield self._missed(f"change request {request.id[:60]}", self._make.requested(request))
        if not told and not any(one.id in self._held.cases for one in asked):
            where = f"on the recipient's page (`billhook invoice show {self._held.key}` has its link)"
            step = f"read what is asked {where} and answer it there"
            evidence = "the recipient asks for a change there, and the API does not say which"
            yield Found(Difference.MISSED_EVENT, evidence, step)
        elif not told:
            yield self._behind("answer the change request at the invoicing API: we have answered it here")

    def _missed(self, evidence: str, event: InvoiceEvent) -> Found:
        """Healed by feeding it once; if that was done and it never reached the workflow, a person must look."""
        fed = self._held.stored(event.id)
        if fed is None:
            return Found(Difference.MISSED_EVENT, evidence, event=event)
        words = f"{evidence}; fed as {event.id} and {fed.fate.value}{f': {fed.reason}' if fed.reason else ''}"
        return Found(Difference.STATE_BEHIND, words, f"mend the cause, then `billhook events replay {event.id}`")

    def _stuck(self) -> Iterator[Found]:
        """We have every event and still are not where they lead."""
        held = self._held
        if held.status is Status.NEEDS_ATTENTION and (self._life.approved_at or self._life.voided_at):
            yield self._behind(f"mend the cause, then `billhook invoice retry {held.key}`")
            return
        for one in held.events:
            if one.is_unsettled and one.age > STUCK:
                words = f"{one.event.type} {one.event.id} is {one.fate.value} since {one.age}"
                step = f"see that a worker runs; then `billhook events replay {one.event.id}`"
                yield Found(Difference.STATE_BEHIND, words, step)
                return

    def _behind(self, step: str) -> Found:
        failed = f" at {self._held.failed_step}" if self._held.failed_step else ""
        here = f"{self._held.status.value}{failed}, V{self._held.version}"
        return Found(
            Difference.STATE_BEHIND,
            f"the API says {self._remote.status} V{self._remote.version}; here it is {here}",
            step,
        )
