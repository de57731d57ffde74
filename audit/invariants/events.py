"""I5: an event that we answered with 2xx has a fate that can be told, and none is ours that the API never sent."""

from datetime import timedelta
from typing import Any, Final

from audit.books import Book, World
from audit.fold import parsed
from audit.look import Look
from audit.truth import was_taken
from billing.record import Fate
from records.events import OURS, is_notice
from records.tables import EventRow

YOUNG: Final = timedelta(minutes=10)
# The dispatcher sweeps every few seconds; an event that is due for longer than this is waited for by nobody.


def of_invoice(book: Book, world: World, look: Look) -> None:
    for row in book.events:
        _fate(row, world, look, book)
        _genuine(row, world, look)


def of_world(world: World, look: Look) -> None:
    """What the API says it brought us. Our own events have all passed by now."""
    if world.truth is None:
        look.missing("the API's audit")
        return
    for event_id, event in world.truth.events.items():
        if was_taken(event):
            about = (event.get("data") or {}).get("reference")
            words = f"{event.get('type')} of {about}: the API has our 2xx for it and our records do not hold it"
            look.expect(event_id in world.event_ids, event_id, words)


def orphan(row: EventRow, world: World, look: Look) -> None:
    """An event that belongs to no invoice of ours, or another system's notice, which may have begun one."""
    if is_notice(row.source):
        _notice(row, world, look)
        return
    _fate(row, world, look, None)
    _genuine(row, world, look)


def _fate(row: EventRow, world: World, look: Look, book: Book | None) -> None:
    world.event_ids.add(row.id)
    about = _about(row)
    if row.fate in {Fate.IGNORED, Fate.QUARANTINED}:
        look.expect(bool(row.reason.strip()), row.id, f"{about} is {row.fate} without a reason")
    elif row.fate == Fate.APPLIED:
        look.expect(row.stated_by is not None, row.id, f"{about} is applied, and no workflow has said so")
    elif row.fate == Fate.DELIVERED:
        _delivered(row, about, world, look, book)
    else:
        _pending(row, about, world, look)


def _notice(row: EventRow, world: World, look: Look) -> None:
    """Another system's: no workflow states its fate, the dispatcher does, with a reason whatever it is."""
    if row.fate == Fate.PENDING:
        _pending(row, _about(row), world, look)
    else:
        look.expect(bool(row.reason.strip()), row.id, f"{_about(row)} is {row.fate} without a reason")


def _delivered(row: EventRow, about: str, world: World, look: Look, book: Book | None) -> None:
    """A workflow has it and has not said what it made of it: in order as long as that one runs."""
    if book is not None and (not book.is_settled or _runs_late(row, world, book)):
        look.in_flight += 1
        return
    state = book.status.value if book else "not ours"
    words = f"{about} was delivered at attempt {row.attempts}; the invoice is {state}, its fate open"
    look.expect(False, row.id, words)


def _runs_late(row: EventRow, world: World, book: Book) -> bool:
    """What comes after the end is synced by a workflow of its own (docs/decisions/0007), which may wait for the CRM."""
    if row.id in world.late_running:
        return True
    ended_at = book.row.updated_at if book.row else world.as_of
    return row.received_at > max(ended_at, world.as_of - YOUNG)


def _pending(row: EventRow, about: str, world: World, look: Look) -> None:
    """Taken up in its time, whatever its invoice does: where nobody dispatches, every one of them is late."""
    due = max(row.received_at, row.next_attempt_at or row.received_at)
    if due > world.as_of - YOUNG:
        look.in_flight += 1
        return
    words = f"{about}, received {row.received_at.isoformat()}, waits since {due.isoformat()}: {row.reason or 'untried'}"
    look.expect(False, row.id, words)


def _genuine(row: EventRow, world: World, look: Look) -> None:
    """What we hold as the API's is what the API says it sent."""
    event, about = parsed(row), _about(row)
    if not look.expect(event is not None or row.fate == Fate.QUARANTINED, row.id, f"{about}: its bytes are no event"):
        return
    if world.truth is None or row.source != OURS or event is None or row.received_at >= world.as_of:
        return
    sent = world.truth.events.get(row.id)
    if look.expect(sent is not None, row.id, f"{about} is in our records, and the API never sent it") and sent:
        mine, theirs = _content(event.model_dump(mode="json")), _content(sent)
        look.expect(mine == theirs, row.id, f"{about}: we hold {mine}, the API sent {theirs}")


def _about(row: EventRow) -> str:
    return f"{row.type} of {row.reference or row.invoice_id or row.source}"


def _content(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data") or {}
    return {"type": event.get("type"), "invoice_id": data.get("invoice_id"), "version": data.get("version")}
