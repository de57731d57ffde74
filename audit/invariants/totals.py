"""I7: one total everywhere. Lines less discount are computed anew, ours in Money's way and the API's in its own."""

from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from activities import signatures as step
from audit.books import Book, World
from audit.journal import Entry
from audit.look import Look
from audit.truth import Remote
from billing.errors import BadInput
from billing.intent import Commercial
from billing.money import Money, half_up
from billing.record import Status
from records.tables import InvoiceRow

_ISSUED: Final = frozenset({Status.SENT, Status.VIEWED, Status.CHANGE_REQUESTED, Status.APPROVED, Status.BILLED})


def of_invoice(book: Book, world: World, look: Look) -> None:
    _intent(book, look)
    _revisions(book, look)
    if book.row is not None:
        _lines(book, book.row, look)
        _api(book, book.row, world, look)
        for deal in book.deals:
            held = Money(minor=deal.total_minor, currency=deal.currency)
            _same(book, "the CRM's deal " + deal.id, held, look)
    for remote in book.remotes:
        _remote_lines(book.key, remote, look)
    _journal(book, world, look)


def of_world(world: World, look: Look) -> None:
    """Invoices at the API that are none of ours still have to add up; and the journal as a whole."""
    for remote in world.truth.invoices if world.truth else ():
        if remote.raw.get("reference") not in world.keys:
            _remote_lines(str(remote.raw.get("reference") or remote.raw["id"]), remote, look)
    if world.journal is not None and world.journal.judged:
        look.expect(not world.journal.refused, "the journal", f"bean-check: {world.journal.refused}")
    elif world.journal is not None:
        look.missing("bean-check (not installed)")


def _intent(book: Book, look: Look) -> None:
    total = book.intent.commercial.total
    held = Money(minor=book.registered.total_minor, currency=book.registered.currency)
    look.expect(held == total, book.key, f"the intent's lines less discount are {total}, its row says {held}")


def _revisions(book: Book, look: Look) -> None:
    """Every content on record is the one that its revision is the hash of, and adds up."""
    for row in book.contents:
        held = book.intent.commercial if row.commercial is None else _read(row.commercial)
        subject = f"{book.key} V{row.version}"
        is_its = held is not None and held.revision(row.version) == row.revision
        if look.expect(is_its, subject, f"the content on record as revision {row.revision} is another") and held:
            kept = Money(minor=row.total_minor, currency=held.currency)
            words = f"the lines of revision {row.revision} less discount are {held.total}, its content says {kept}"
            look.expect(held.total == kept, subject, words)


def _ours(row: InvoiceRow) -> Money:
    return Money(minor=row.total_minor, currency=row.currency)


def _lines(book: Book, row: InvoiceRow, look: Look) -> None:
    """The content is known by its revision: that of the intent, one on record, or one that a step carried."""
    for commercial in _contents(book):
        if commercial.revision(row.version) == row.revision:
            total = commercial.total
            words = f"the lines of revision {row.revision} less discount are {total}, the record says {_ours(row)}"
            look.expect(_ours(row) == total, book.key, words)
            return


def _contents(book: Book) -> list[Commercial]:
    steps = book.history.of(step.ISSUE, step.REVISE, step.CREATE_DRAFT) if book.history else []
    told = [row.commercial for row in book.contents] + [asked.request.get("commercial") for asked in steps]
    return [book.intent.commercial, *(found for one in told if (found := _read(one)))]


def _read(commercial: Any) -> Commercial | None:
    try:
        return Commercial.model_validate(commercial)
    except ValidationError:
        return None


def _api(book: Book, row: InvoiceRow, world: World, look: Look) -> None:
    """By version: what was issued under a version stays, so this holds at any moment."""
    if book.status not in _ISSUED:
        # A total that differs at the API parks the invoice there, which is what a person is told.
        look.in_flight += book.status is Status.NEEDS_ATTENTION
        return
    if world.truth is None:
        look.missing("the API's audit")
        return
    theirs = book.remote.total_of(row.version) if book.remote else None
    if theirs is None:
        look.in_flight += not book.is_settled
        words = f"V{row.version} of {row.external_id} is {row.status} here, and the API's audit has no such version"
        if book.is_settled:
            look.expect(False, book.key, words)
        return
    look.expect(theirs == _ours(row), book.key, f"V{row.version}: the API's total is {theirs}, ours is {_ours(row)}")


def _remote_lines(subject: str, remote: Remote, look: Look) -> None:
    expected, told = _computed(remote.raw), remote.raw.get("total_cents")
    words = f"{remote.name}: the API's lines less discount are {expected}, its total says {told} (its minor units)"
    look.expect(expected is not None and expected == told, subject, words)


def _computed(raw: dict[str, Any]) -> int | None:
    """In the API's own minor units: each line rounded once, a percentage rounded once on the subtotal."""
    try:
        subtotal = sum(
            half_up(_decimal(line["quantity"]) * int(line["unit_price_cents"])) for line in raw["line_items"]
        )
        return subtotal - _discount(raw.get("discount"), subtotal)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


def _discount(discount: dict[str, Any] | None, subtotal: int) -> int:
    if not discount:
        return 0
    if discount["type"] == "flat":
        return int(discount["value_cents"])
    return half_up(subtotal * _decimal(discount["value"]) / 100)


def _decimal(value: Any) -> Decimal:
    """By the shortest text that says the number: a JSON number has been a float in most readers."""
    return Decimal(str(value))


def _journal(book: Book, world: World, look: Look) -> None:
    if world.journal is None:
        if book.status is Status.BILLED:
            look.missing("the journal")
        return
    for entry in book.postings:
        _entry(book, entry, look)


def _entry(book: Book, entry: Entry, look: Look) -> None:
    held = [_money(*leg) for leg in entry.receivable]
    sold = [_money(*leg) for leg in entry.revenue]
    words = f"the journal's entry of {entry.on} has receivable {_shown(held)} against revenue {_shown(sold)}"
    if not look.expect(len(held) == 1 and held == sold and held[0] is not None, book.key, words):
        return
    if held[0] is not None:
        _same(book, f"the journal's entry of {entry.on}", held[0], look)


def _same(book: Book, where: str, held: Money, look: Look) -> None:
    """Only a billed invoice's total stands still; what is posted before the record says so is looked at then."""
    if book.row is None or book.status is not Status.BILLED:
        look.in_flight += 1
        return
    look.expect(held == _ours(book.row), book.key, f"{where} says {held}, the record says {_ours(book.row)}")


def _money(minor: int, currency: str) -> Money | None:
    try:
        found = Money(minor=minor, currency=currency)
        str(found)
    except BadInput:
        return None
    return found


def _shown(amounts: list[Money | None]) -> str:
    return " and ".join(str(one) for one in amounts) or "nothing"
