"""An invoice's events folded anew from our records alone, as its workflow should have folded them."""

from billing import told as timeline
from billing.events import InvoiceEvent
from billing.lifecycle import Lifecycle, fold
from records.papers import Papers
from records.tables import EventRow

_ANSWERED = frozenset({"accepted", "declined"})


def parsed(row: EventRow) -> InvoiceEvent | None:
    """The event as it came; None where its bytes cannot be read (the I5 check says so)."""
    try:
        return InvoiceEvent.model_validate_json(row.raw)
    except ValueError:
        return None


def issued_version(papers: Papers) -> int:
    """The newest version that the timeline says was issued; 0 before the first."""
    found = [timeline.issued_version(entry.text) for entry in papers.entries if entry.kind == "issued"]
    return max((version for version in found if version), default=0)


def told(papers: Papers) -> list[EventRow]:
    """The events whose fate the workflow has stated."""
    return [row for row in papers.events if row.stated_by is not None]


def refold(papers: Papers) -> Lifecycle | None:
    """The fold of what the workflow has read, from the stored bytes; None where nothing was issued."""
    version = issued_version(papers)
    if papers.row is None or not version:
        return None
    events = [event for row in told(papers) if (event := parsed(row))]
    closed = frozenset(case.id for case in papers.cases if case.status in _ANSWERED)
    return fold(events, version=version, external_id=papers.row.external_id or "", closed_cases=closed)
