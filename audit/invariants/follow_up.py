"""I6: nobody is asked whether he got the invoice after he has opened it, or when it is over.

Judged by what Billhook could know: a view that had not reached us yet cancels nothing. The history tells that in the
engine's own order; our records tell it by one clock, ours, on which a view was stored and a mail was claimed.
"""

from datetime import timedelta
from typing import Final

from activities import signatures as step
from audit.books import Book, World
from audit.fold import parsed
from audit.histories import History, Step
from audit.look import Look
from billing.events import EventType
from billing.record import Fate
from records.tables import EventRow, MailRow

KIND: Final = "follow_up"
_CROSSING: Final = timedelta(seconds=5)
# A view and a mail may cross each other between the door and the worker; past this they did not cross.
_ENDS: Final = frozenset({EventType.APPROVED.value, EventType.VOIDED.value})


def of_invoice(book: Book, world: World, look: Look) -> None:
    if book.history is not None:
        for asked in book.history.of(step.SEND_MAIL):
            if asked.request.get("kind") == KIND:
                _by_history(book, book.history, asked, look)
    elif any(mail.kind == KIND for mail in book.mails):
        look.missing("a history (Temporal holds none)" if world.has_engine else "Temporal")
    for mail in book.mails:
        if mail.kind == KIND and mail.sent_at is not None:
            _by_records(book, mail, look)


def _by_history(book: Book, history: History, asked: Step, look: Look) -> None:
    version = int(asked.request.get("version") or 0)
    known = [signal for place, signal in history.signals if place < asked.decided]
    against = [one for one in known if _forbids(str(one.get("type")), _version(one), version)]
    words = ", ".join(f"{one.get('type')} ({one.get('id')})" for one in against)
    look.expect(not against, f"{book.key} V{version}", f"follow-up asked for at {asked.at.isoformat()}; known: {words}")


def _version(signal: dict[str, object]) -> int:
    data = signal.get("data")
    return int(data.get("version") or 1) if isinstance(data, dict) else 1


def _forbids(kind: str, seen: int, version: int) -> bool:
    return (kind == EventType.VIEWED and seen == version) or (kind in _ENDS and seen >= version)


def _by_records(book: Book, mail: MailRow, look: Look) -> None:
    against = [row for row in book.events if _before(row, mail)]
    words = ", ".join(f"{row.type} ({row.id}) received {row.received_at.isoformat()}" for row in against)
    when = f"follow-up to {mail.addressee} claimed at {mail.claimed_at.isoformat()}"
    look.expect(not against, f"{book.key} V{mail.version}", f"{when}, after {words}")


def _before(row: EventRow, mail: MailRow) -> bool:
    if row.fate != Fate.APPLIED or row.received_at + _CROSSING >= mail.claimed_at:
        return False
    return _forbids(row.type, _stored_version(row), mail.version)


def _stored_version(row: EventRow) -> int:
    event = parsed(row)
    return event.data.version if event else 1
