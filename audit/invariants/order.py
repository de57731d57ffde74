"""I4: what stands is what the events say when they are put in order, and the last that the workflow told."""

from typing import Any, Final

from audit.books import Book, World, shown
from audit.fold import refold, told
from audit.histories import History
from audit.look import Look
from billing import told as timeline
from billing.lifecycle import Lifecycle
from billing.ownership import RECIPIENT_FIELDS, filled
from billing.record import Fate, Status
from records.tables import InvoiceRow

_IN_MOTION: Final = frozenset({Fate.PENDING.value, Fate.DELIVERED.value})
_COMPARED: Final = ("sequence", "status", "version", "revision", "total_minor", "currency", "external_id", "recipient")
_AFTER_APPROVAL: Final = frozenset({Status.APPROVED, Status.BILLED, Status.NEEDS_ATTENTION})


def of_invoice(book: Book, world: World, look: Look) -> None:
    if book.history is not None:
        _last_word(book, book.history, look)
    elif world.has_engine:
        look.missing("a history (Temporal holds none)")
    else:
        look.missing("Temporal")
    _timeline(book, look)
    if book.row is None or any(row.fate in _IN_MOTION for row in book.events):
        look.in_flight += 1
        return
    life = refold(book)
    if life is None:
        return
    if book.is_settled:
        _settled(book, book.row, life, look)
    else:
        _running(book, life, look)


def _last_word(book: Book, history: History, look: Look) -> None:
    """The record that the workflow ended with is the one that stands; an older one never overwrote it."""
    if history.closed_as is None:
        return
    if history.closed_as != "completed":
        look.note(f"its workflow was {history.closed_as}, and nothing moves it on", book.key)
        return
    if not look.expect(book.row is not None, book.key, "its workflow ended and no record stands"):
        return
    held = book.row.model_dump(mode="json") if book.row else {}
    is_late = any(entry.kind == "late" for entry in book.entries)
    for name in _COMPARED:
        last = (history.result or {}).get(name)
        # What comes after the end may still bring a recipient's field.
        if history.result is not None and not (name == "recipient" and is_late):
            words = f"its workflow ended with {name} {shown(last)}, the record says {shown(held.get(name))}"
            look.expect(held.get(name) == last, book.key, words)


def _timeline(book: Book, look: Look) -> None:
    places = [entry.position for entry in book.entries]
    if places:
        words = f"the timeline's lines are numbered {places}: some are missing"
        look.expect(places == list(range(1, len(places) + 1)), book.key, words)


def _settled(book: Book, row: InvoiceRow, life: Lifecycle, look: Look) -> None:
    _end(book, row, life, look)
    _fields(book, row, life, look)
    for event in told(book):
        fate, reason = life.fates.get(event.id, ("unread", ""))
        if event.fate == Fate.IGNORED and event.reason.endswith(timeline.PAST_CHANGE):
            continue
        words = f"event {event.id} ({event.type}) is {event.fate} {event.reason!r}; in order it is {fate} {reason!r}"
        look.expect((event.fate, event.reason) == (str(fate), reason), book.key, words)


def _fields(book: Book, row: InvoiceRow, life: Lifecycle, look: Look) -> None:
    """The latest writer of each field; the locked version, read back, outweighs every event."""
    locked = _locked(book)
    read_back = any(timeline.READ_BACK in entry.text for entry in book.entries)
    for name in sorted({*life.fields, *row.recipient}):
        held, given = filled(row.recipient.get(name)), filled(life.fields[name].value if name in life.fields else None)
        words = f"{name} is {shown(held)} in the record; the events in order give {shown(given)}"
        if locked is None:
            look.expect(held == given or read_back, book.key, words)
        else:
            words += f", the approved version has {shown(locked[name])}"
            look.expect(held == locked[name] and (held == given or read_back), book.key, words)


def _locked(book: Book) -> dict[str, Any] | None:
    """The recipient's fields as the API holds them, where they are locked for good; None where they are not known."""
    remote = book.remote
    if remote is None or not remote.is_approved or book.status is not Status.BILLED:
        return None
    recipient = remote.raw.get("recipient") or {}
    return {name: filled(remote.raw.get(name) or recipient.get(name)) for name in RECIPIENT_FIELDS}


def _end(book: Book, row: InvoiceRow, life: Lifecycle, look: Look) -> None:
    if life.approved_at is None:
        words = "the record says billed; of its events none approves it"
        look.expect(book.status is not Status.BILLED, book.key, words)
    elif book.abandoned is None:
        words = f"V{life.version} was approved at {life.approved_at.isoformat()}, the record says {row.status}"
        look.expect(book.status is Status.BILLED, book.key, words)


def _running(book: Book, life: Lifecycle, look: Look) -> None:
    """While it runs: what its own events have reached is not taken back."""
    if life.approved_at is not None and book.abandoned is None:
        words = f"V{life.version} was approved at {life.approved_at.isoformat()}, the record says {book.status.value}"
        look.expect(book.status in _AFTER_APPROVAL, book.key, words)
    elif life.version in life.viewed_versions:
        words = f"V{life.version} was viewed, and the record says {book.status.value}"
        look.expect(book.status is not Status.SENT, book.key, words)
