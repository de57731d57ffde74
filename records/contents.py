"""What an invoice said in each of its revisions, as people compare them: lines, discount, terms and the sums.

The workflow tells a content when it comes to be. The one that an invoice begins with is its intent's, which is never
told twice, so it is read from there.
"""

from collections.abc import Iterable
from datetime import date, datetime

from pydantic import BaseModel
from sqlalchemy import RowMapping

from billing.comparison import DiscountSide, LineSide, discount_side, line_side, major
from billing.intent import Commercial, Intent


class ContentView(BaseModel):
    """The commercial content of one revision."""

    lines: list[LineSide]
    discount: DiscountSide | None
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
        lines=[line_side(line, commercial.currency) for line in commercial.lines],
        discount=discount_side(commercial),
        payment_terms=commercial.payment_terms,
        due_date=commercial.due_date,
        subtotal=major(commercial.subtotal_minor, commercial.currency),
        total=major(commercial.total.minor, commercial.currency),
    )


def _commercial(row: RowMapping, intent: Intent) -> Commercial:
    return intent.commercial if row["commercial"] is None else Commercial.model_validate(row["commercial"])


def _version(row: RowMapping, commercial: Commercial) -> VersionView:
    return VersionView(
        **{name: row[name] for name in ("version", "revision", "total_minor", "made_at", "made_by", "issued_at")},
        total=major(row["total_minor"], commercial.currency),
        content=content_view(commercial),
    )


def _first(intent: Intent, registered_at: datetime, revision: str) -> VersionView:
    total = intent.commercial.total
    return VersionView(
        version=1,
        revision=revision,
        total=major(total.minor, total.currency),
        total_minor=total.minor,
        made_at=registered_at,
        made_by=intent.source.triggered_by,
        issued_at=None,
        content=content_view(intent.commercial),
    )
