"""What an invoice said in each of its revisions, as people compare them: lines, discount, terms and the sums.

The workflow tells a content when it comes to be. The one that an invoice begins with is its intent's, which is never
told twice, so it is read from there.
"""

from collections.abc import Iterable
from datetime import date, datetime

from pydantic import BaseModel
from sqlalchemy import RowMapping

from billing.intent import Commercial, Discount, Intent, Line
from billing.money import Money, line_minor, plain_text
from billing.untrusted import ShownLine


class LineView(BaseModel):
    """One line; quantity, unit price and amount as decimal strings, the amount rounded as it is billed."""

    description: ShownLine
    quantity: str
    unit_price: str
    amount: str


class DiscountView(BaseModel):
    """`off` is what it takes off the subtotal, a decimal string."""

    type: str
    value: str
    off: str


class ContentView(BaseModel):
    """The commercial content of one revision."""

    lines: list[LineView]
    discount: DiscountView | None
    payment_terms: str
    due_date: date | None
    subtotal: str
    total: str


class VersionView(BaseModel):
    """One revision of the invoice; `issued_at` is empty while it was not sent. A version may have several revisions:
    what a person edited before it was issued."""

    version: int
    revision: str
    total: str
    total_minor: int
    made_at: datetime
    made_by: str
    issued_at: datetime | None
    content: ContentView


def versions_of(intent: Intent, registered_at: datetime, told: Iterable[RowMapping]) -> list[VersionView]:
    """Every revision there was, in the order in which they came to be."""
    first = intent.commercial.revision(1)
    rows = {row["revision"]: row for row in told}
    found = [_version(row, _commercial(row, intent)) for row in rows.values()]
    if first not in rows:
        found.append(_first(intent, registered_at, first))
    return sorted(found, key=lambda one: (one.version, one.made_at, one.revision))


def present(versions: Iterable[VersionView], revision: str) -> ContentView | None:
    """The content of `revision`; of the first version where the invoice has told none yet."""
    found = {one.revision: one.content for one in versions}
    return found.get(revision) if revision else next(iter(found.values()), None)


def content_view(commercial: Commercial) -> ContentView:
    return ContentView(
        lines=[_line(line, commercial.currency) for line in commercial.lines],
        discount=_discount(commercial.discount, commercial),
        payment_terms=commercial.payment_terms,
        due_date=commercial.due_date,
        subtotal=_major(commercial.subtotal_minor, commercial.currency),
        total=_major(commercial.total.minor, commercial.currency),
    )


def _commercial(row: RowMapping, intent: Intent) -> Commercial:
    return intent.commercial if row["commercial"] is None else Commercial.model_validate(row["commercial"])


def _version(row: RowMapping, commercial: Commercial) -> VersionView:
    return VersionView(
        **{name: row[name] for name in ("version", "revision", "total_minor", "made_at", "made_by", "issued_at")},
        total=_major(row["total_minor"], commercial.currency),
        content=content_view(commercial),
    )


def _first(intent: Intent, registered_at: datetime, revision: str) -> VersionView:
    total = intent.commercial.total
    return VersionView(
        version=1,
        revision=revision,
        total=_major(total.minor, total.currency),
        total_minor=total.minor,
        made_at=registered_at,
        made_by=intent.source.triggered_by,
        issued_at=None,
        content=content_view(intent.commercial),
    )


def _line(line: Line, currency: str) -> LineView:
    return LineView(
        description=line.description,
        quantity=plain_text(line.quantity),
        unit_price=plain_text(line.unit_price),
        amount=_major(line_minor(line.quantity, line.unit_price, currency), currency),
    )


def _discount(discount: Discount | None, of: Commercial) -> DiscountView | None:
    if discount is None:
        return None
    off = _major(of.discount_minor, of.currency)
    return DiscountView(type=discount.type.value, value=plain_text(discount.value), off=off)


def _major(minor: int, currency: str) -> str:
    return f"{Money(minor=minor, currency=currency).major:f}"
