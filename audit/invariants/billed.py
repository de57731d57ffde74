"""I8: an approval of the current version, and nothing else, makes an invoice billed: here, in the CRM, in the journal.

An invoice that a person closed without billing it after its approval (docs/decisions/0006) is told, not counted as
wrong.
"""

from audit.books import Book, World
from audit.look import Look
from audit.truth import Remote
from billing.record import Status
from records.tables import InvoiceRow


def of_invoice(book: Book, world: World, look: Look) -> None:
    if book.abandoned is not None:
        look.note(f"approved and closed without billing by {book.abandoned.actor} ({book.abandoned.text})", book.key)
        return
    if book.row is None or not book.is_settled:
        look.in_flight += 1
        _not_twice(book, look)
        return
    billed = book.status is Status.BILLED
    _api(book, book.row, world, look)
    _deal(book, billed, look)
    _posted(book, billed, world, look)


def of_world(world: World, look: Look) -> None:
    for key, entries in world.journal.entries.items() if world.journal else ():
        if key not in world.keys:
            words = f"the journal has {len(entries)} entries under this key, and we have no such invoice"
            look.expect(False, key, words)


def _api(book: Book, row: InvoiceRow, world: World, look: Look) -> None:
    if world.truth is None:
        look.missing("the API's audit")
        return
    if book.status is Status.BILLED:
        _approved_there(book, row, look)
        return
    approved = [one.name for one in book.remotes if one.is_approved]
    look.expect(not approved, book.key, f"approved at the API as {', '.join(approved)}, and {row.status} here")


def _approved_there(book: Book, row: InvoiceRow, look: Look) -> None:
    remote: Remote | None = book.remote
    if remote is None:
        look.expect(False, book.key, f"billed here, and the API has no invoice {row.external_id}")
        return
    version = remote.version_row(row.version) or {}
    words = f"billed as V{row.version}; the API has {remote.name} V{remote.raw.get('version')}"
    is_current = remote.raw.get("version") == row.version and bool(version.get("approved_at"))
    words += f", V{row.version} approved at {version.get('approved_at') or 'no time'}"
    look.expect(remote.is_approved and is_current, book.key, words)


def _deal(book: Book, billed: bool, look: Look) -> None:
    wanted = [book.intent.deal_id] if billed and book.intent.deal_id else []
    held = [deal.id for deal in book.deals]
    words = f"{book.status.value}; deals marked billed: {held or 'none'}, to be marked: {wanted or 'none'}"
    look.expect(held == wanted, book.key, words)


def _posted(book: Book, billed: bool, world: World, look: Look) -> None:
    if world.journal is None:
        look.missing("the journal")
        return
    count = len(book.postings)
    look.expect(count == int(billed), book.key, f"{book.status.value}, and the journal has {count} entries for it")


def _not_twice(book: Book, look: Look) -> None:
    """True at any moment, also of what runs."""
    if len(book.postings) > 1:
        look.expect(False, book.key, f"the journal has {len(book.postings)} entries for it")
