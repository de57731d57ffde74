"""Present and former versions of an invoice, each beside the one before it."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from billing.comparison import Comparison, side_by_side
from billing.intent import Commercial, Discount, DiscountType, Line
from records.contents import ContentView, VersionView
from records.views import InvoiceView


@dataclass(frozen=True)
class Pair:
    """A revision and, where there is one, what changed against the revision before it."""

    version: VersionView
    change: Comparison | None


def version_pairs(view: InvoiceView) -> list[Pair]:
    """The newest first."""
    found = view.versions
    pairs = [Pair(now, _between(before.content, now.content, view.currency)) for before, now in pairwise(found)]
    return [*reversed(pairs), *(Pair(first, None) for first in found[:1])]


def changed_since(view: InvoiceView, revision: str) -> Comparison | None:
    """What has changed since `revision` was the present one; None where it is, or where there was no such content."""
    seen = next((one.content for one in view.versions if one.revision == revision), None)
    if seen is None or view.content is None or revision == view.revision:
        return None
    return _between(seen, view.content, view.currency)


def content_of(shown: ContentView, currency: str) -> Commercial:
    """The content that is shown, as one to calculate with."""
    return Commercial(
        currency=currency,
        lines=tuple(
            Line(description=line.description, quantity=Decimal(line.quantity), unit_price=Decimal(line.unit_price))
            for line in shown.lines
        ),
        discount=None
        if shown.discount is None
        else Discount(type=DiscountType(shown.discount.type), value=Decimal(shown.discount.value)),
        payment_terms=shown.payment_terms,
        due_date=shown.due_date,
    )


def _between(before: ContentView, now: ContentView, currency: str) -> Comparison:
    return side_by_side(content_of(before, currency), content_of(now, currency))
