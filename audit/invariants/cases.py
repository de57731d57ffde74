"""I9: a change request that waits for us is somebody's, until a time; he is reminded and warned before it."""

from typing import Any, Final

from audit.books import Book, World
from audit.fold import parsed, refold
from audit.look import Look
from billing.events import EventType
from billing.record import Fate
from records.tables import CaseRow

_ORDER: Final = (
    ("opened_at", "remind_at"), ("remind_at", "deadline"), ("opened_at", "warn_at"), ("warn_at", "deadline"),
    ("deadline", "breached_at"), ("first_response_at", "resolved_at"),
)  # fmt: skip
# A warning may come before the reminder: the policy sets the one by hours, the other is half of the time. When it was
# opened is told by the API's clock, when it was answered by the engine's: those two are not compared.


def of_invoice(book: Book, world: World, look: Look) -> None:
    for case in book.cases:
        if case.status == "open":
            _open(book, case, look)
        _in_order(book, case, look)
    if book.row is None or book.status.is_end:
        return
    _known(book, look)
    for remote in book.remotes:
        for request in remote.requests:
            if request.get("status") == "open":
                _open_there(book, request, world, look)


def _open(book: Book, case: CaseRow, look: Look) -> None:
    subject = f"{book.key} {case.id}"
    look.expect(bool(case.owner.strip()), subject, f"open since {case.opened_at.isoformat()} without an owner")
    words = f"opened at {case.opened_at.isoformat()}, deadline {case.deadline.isoformat() if case.deadline else 'none'}"
    look.expect(case.deadline is not None and case.deadline >= case.opened_at, subject, words)
    if book.is_settled:
        look.expect(False, subject, f"still open, and the invoice is {book.status.value}: nobody can answer it")


def _in_order(book: Book, case: CaseRow, look: Look) -> None:
    """Of the times that it has, none is before its cause."""
    subject = f"{book.key} {case.id}"
    for before, after in _ORDER:
        first, second = getattr(case, before), getattr(case, after)
        if first is not None and second is not None:
            words = f"{before} {first.isoformat()} is after {after} {second.isoformat()}"
            look.expect(first <= second, subject, words)


def _known(book: Book, look: Look) -> None:
    """Every change request that the events leave open has its case."""
    life = refold(book)
    held = {case.id for case in book.cases}
    for name in life.cases if life else ():
        look.expect(name in held, f"{book.key} {name}", "asked for by an applied event, and no case was opened")


def _open_there(book: Book, request: dict[str, Any], world: World, look: Look) -> None:
    """Open at the API: ours from the moment that its event was applied."""
    reached = [row for row in book.events if row.type == EventType.CHANGE_REQUESTED and _asks(row, request["id"])]
    if not any(row.fate == Fate.APPLIED for row in reached):
        look.in_flight += 1
        return
    held = {case.id for case in book.cases}
    words = f"open at the API on V{request.get('version')}, its event applied, and no case was opened"
    look.expect(request["id"] in held, f"{book.key} {request['id']}", words)


def _asks(row: Any, request_id: str) -> bool:
    event = parsed(row)
    asked = event.data.change_request if event else None
    return asked is not None and asked.id == request_id
