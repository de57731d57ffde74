"""I3: every version that was issued had been cleared as exactly that revision, by policy alone or by as many different
people as it needed; and the trail that proves it is whole."""

from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from activities import signatures as step
from audit.books import Book, World
from audit.histories import History, Step
from audit.invariants import trail
from audit.look import Look
from billing.decisions import Action
from billing.intent import Commercial
from billing.record import Status
from records.tables import DecisionRow

_SURELY_ISSUED: Final = frozenset({Status.SENT, Status.VIEWED, Status.APPROVED, Status.BILLED})
# In these the record's version and revision are the issued ones; in others they may be those of the next version.


def of_invoice(book: Book, world: World, look: Look) -> None:
    trail.of_invoice(book, look)
    cleared = _cleared(book)
    if book.history is not None:
        for asked in book.history.of(step.ISSUE, step.REVISE):
            _step(book, asked, cleared, look)
    elif world.has_engine:
        look.missing("a history (Temporal holds none)")
    else:
        look.missing("Temporal")
    if book.row is not None and book.status in _SURELY_ISSUED:
        words = f"V{book.row.version} is {book.status.value} as revision {book.row.revision}; {_words(book, cleared)}"
        look.expect(book.row.revision in cleared, _version(book, book.row.version), words)
    _at_api(book, cleared, look)


def _version(book: Book, version: int) -> str:
    return f"{book.key} V{version}"


def _cleared(book: Book) -> dict[str, str]:
    """Revision to who cleared it."""
    found = {row.revision: "the policy" for row in book.assessments if row.body.get("automatic") is True}
    for revision in {row.result_revision for row in _approvals(book)}:
        people = sorted({row.actor for row in _approvals(book, revision)})
        if len(people) >= _needed(book, revision):
            found[revision] = " and ".join(people)
    return found


def _approvals(book: Book, revision: str | None = None) -> list[DecisionRow]:
    """An approval with an edit clears what it made, not what it saw."""
    approvals = [row for row in book.decisions if row.action == Action.APPROVE.value]
    return [row for row in approvals if revision in {None, row.result_revision}]


def _needed(book: Book, revision: str) -> int:
    """How many different people had to approve it; where an edit made it, as many as for what they saw at least."""
    seen = {revision, *(row.revision for row in _approvals(book, revision))}
    return max(
        (int(row.body.get("approvals_needed") or 1) for row in book.assessments if row.revision in seen), default=1
    )


def _words(book: Book, cleared: dict[str, str]) -> str:
    named = ", ".join(f"{revision} by {who}" for revision, who in cleared.items())
    alone = [row for row in _approvals(book) if row.result_revision not in cleared]
    short = [f"{row.result_revision} by {row.actor} of {_needed(book, row.result_revision)} needed" for row in alone]
    words = f"cleared are {named}" if named else "nothing was cleared"
    return f"{words}; approved is {', '.join(short)}" if short else words


def _step(book: Book, asked: Step, cleared: dict[str, str], look: Look) -> None:
    """What the workflow asked the API to issue, whether or not it heard the answer."""
    version = int(asked.request.get("version") or 1)
    revision = _revision(asked.request.get("commercial"), version)
    if revision is None:
        look.missing("a history's payloads")
        return
    words = f"`{asked.name}` of V{version} at {asked.at.isoformat()} sent revision {revision}; {_words(book, cleared)}"
    if look.expect(revision in cleared, _version(book, version), words):
        _in_time(_version(book, version), book, asked, revision, look)


def _in_time(subject: str, book: Book, asked: Step, revision: str, look: Look) -> None:
    """A decision counts that came before; decisions and steps are both dated by the engine's clock."""
    automatic = any(row.revision == revision and row.body.get("automatic") is True for row in book.assessments)
    first: dict[str, datetime] = {}
    for row in _approvals(book, revision):
        first[row.actor] = min(row.at, first.get(row.actor, row.at))
    if first and not automatic:
        cleared_at = sorted(first.values())[min(_needed(book, revision), len(first)) - 1]
        words = f"revision {revision} was sent at {asked.at.isoformat()} and approved at {cleared_at.isoformat()} only"
        look.expect(cleared_at <= asked.at, subject, words)


def _revision(commercial: Any, version: int) -> str | None:
    try:
        return Commercial.model_validate(commercial).revision(version)
    except ValidationError:
        return None


def _at_api(book: Book, cleared: dict[str, str], look: Look) -> None:
    """The API holds no version that nobody cleared; each has a revision of its own."""
    remote = book.remote
    if remote is None or not remote.is_issued:
        return
    if not book.is_settled:
        look.in_flight += 1
        return
    versions = [one.get("version") for one in remote.raw.get("versions") or []]
    sent = _sent(book.history)
    if sent is None:
        words = f"the API issued versions {versions} and {len(cleared)} revisions were cleared; {_words(book, cleared)}"
        look.expect(len(versions) <= len(cleared), _version(book, max(versions, default=1)), words)
        return
    for version in versions:
        look.expect(version in sent, _version(book, version), "it stands at the API and no step of ours issued it")


def _sent(history: History | None) -> set[int] | None:
    if history is None:
        return None
    return {int(one.request.get("version") or 1) for one in history.of(step.ISSUE, step.REVISE)}
