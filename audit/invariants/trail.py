"""What I3 rests on: the trail of who decided what is whole from its beginning, and says what the decisions say."""

from typing import Final

from audit.books import Book
from audit.look import Look
from billing.decisions import Decision
from billing.trail import TrailEntry, broken, genesis, holds

_SAID: Final = Decision.model_fields.keys() - {"at", "actor", "position"}


def of_invoice(book: Book, look: Look) -> None:
    if not book.trail and not book.decisions:
        return
    entries = [TrailEntry.model_validate(row.model_dump(exclude={"key"})) for row in book.trail]
    wrong = broken(entries, genesis(book.key, book.registered.payload_hash))
    look.expect(not wrong, book.key, f"its trail of {len(entries)} entries is not whole: {wrong}")
    decisions = [Decision.model_validate(row.model_dump(exclude={"key"})) for row in book.decisions]
    for one in decisions:
        words = f"{one.action.value} by {one.actor} at {one.at.isoformat()} on revision {one.revision}"
        look.expect(holds(entries, one), book.key, f"its trail of {len(entries)} entries does not hold {words}")
    for entry in entries:
        if entry.body.keys() >= _SAID:
            kept = any(holds([entry], one) for one in decisions)
            words = f"its trail has {entry.body['action']} by {entry.actor} in place {entry.position}"
            look.expect(kept, book.key, f"{words}, and no decision on record says so")
