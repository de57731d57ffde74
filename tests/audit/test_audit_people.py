"""Who decided on what, and by when: books that no sound workflow leaves, and what the audit says of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.books import Book, World
from audit.histories import History, Step
from audit.invariants import assessed, cases, totals
from audit.look import Look
from audit.report import Violation
from billing.decisions import Action, Decision
from billing.trail import chained, decision_body, genesis
from records.tables import AssessmentRow, CaseRow, ContentRow, DecisionRow, IntentRow, InvoiceRow, TrailRow
from tests.records.make import an_intent

_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_INTENT = an_intent()
_KEY, _COMMERCIAL = _INTENT.key, _INTENT.commercial
_REVISION = _COMMERCIAL.revision(1)


def _book(*decisions: Decision, needed: int = 1, automatic: bool = False) -> Book:
    """Issued at `_AT` + 10 hours, after `decisions`, each of which its trail holds."""
    registered = IntentRow(
        key=_KEY, motion="milestone", customer_id="acme", payload_hash=_INTENT.payload_hash,
        payload=_INTENT.model_dump_json(), currency="USD", total_minor=125000, created_at=_AT,
    )  # fmt: skip
    row = InvoiceRow(
        key=_KEY, sequence=1, status="sent", total_minor=125000, currency="USD", version=1, revision=_REVISION,
        issued=True, updated_at=_AT,
    )  # fmt: skip
    request = {"commercial": _COMMERCIAL.model_dump(mode="json")}
    book = Book(registered, row, history=History(steps=[Step("issue", _AT + 10 * _HOUR, (0, 9), request)]))
    body = {"automatic": automatic, "approvals_needed": needed}
    book.assessments = [AssessmentRow(key=_KEY, revision=_REVISION, body=body, assessed_at=_AT)]
    prev = genesis(_KEY, _INTENT.payload_hash)
    for place, one in enumerate(decisions, start=1):
        fields = one.model_dump() | {"action": one.action.value}
        book.decisions.append(DecisionRow(key=_KEY, **{**fields, "position": place}))
        entry = chained(place, one.at, "decision", one.actor, {**decision_body(one), "more": 1}, prev)
        book.trail.append(TrailRow(key=_KEY, **entry.model_dump()))
        prev = entry.hash
    return book


def _yes(actor: str, hours: int = 1, **changes: Any) -> Decision:
    values = {"at": _AT + hours * _HOUR, "action": Action.APPROVE, "actor": actor, "revision": _REVISION, "note": ""}
    return Decision.model_validate({**values, "result_revision": _REVISION, **changes})


def _looked(book: Book, of_invoice: Any = assessed.of_invoice) -> list[Violation]:
    look = Look("look")
    of_invoice(book, World(as_of=_AT + 100 * _HOUR, has_engine=True), look)
    return look.violations


@pytest.mark.parametrize(
    "book",
    [
        _book(automatic=True),
        _book(_yes("dana")),
        _book(_yes("dana"), _yes("mia", 2), needed=2),
        _book(_yes("dana"), _yes("dana", 2), _yes("mia", 3), needed=2),
        _book(_yes("dana", revision="seen"), _yes("mia", 2)),
    ],
    ids=["by policy", "by one", "by two", "by one twice and another", "an edit and a second yes"],
)
def test_what_enough_people_said_yes_to_is_in_order(book: Book) -> None:
    assert _looked(book) == []


@pytest.mark.parametrize(
    ("decisions", "words"),
    [
        ((_yes("dana"),), f"{_REVISION} by dana of 2 needed"),
        ((_yes("dana"), _yes("dana", 2)), f"{_REVISION} by dana of 2 needed"),
        ((_yes("dana"), _yes("mia", result_revision="another")), f"{_REVISION} by dana of 2 needed"),
        ((_yes("dana"), _yes("mia", 2, action=Action.REJECT)), f"{_REVISION} by dana of 2 needed"),
    ],
    ids=["one alone", "one twice", "the second of something else", "the second said no"],
)
def test_where_two_had_to_approve_one_is_not_enough(decisions: tuple[Decision, ...], words: str) -> None:
    found = _looked(_book(*decisions, needed=2))
    assert {one.subject for one in found} == {f"{_KEY} V1"}
    assert all(words in one.evidence for one in found)


def test_the_second_yes_must_come_before_the_issue_as_well() -> None:
    (found,) = _looked(_book(_yes("dana"), _yes("mia", 11), needed=2))
    assert "and approved at 2026-11-02T20:00:00+00:00 only" in found.evidence


def test_an_edit_needs_as_many_as_what_was_seen_needed() -> None:
    book = _book(_yes("dana", revision="seen"))
    book.assessments = [AssessmentRow(key=_KEY, revision="seen", body={"approvals_needed": 2}, assessed_at=_AT)]
    assert all("by dana of 2 needed" in one.evidence for one in _looked(book))
    assert _looked(book)


def _trail_of(book: Book) -> list[str]:
    return [one.evidence for one in _looked(book) if one.subject == _KEY]


@pytest.mark.parametrize("kept", [0, 1])
def test_a_decision_that_the_trail_does_not_hold_is_found(kept: int) -> None:
    """Also where the whole trail is gone."""
    book = _book(_yes("dana"), _yes("mia", 2))
    del book.trail[kept:]
    *_, words = _trail_of(book)
    assert "does not hold approve by mia at 2026-11-02T11:00:00+00:00" in words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"note": "agreed"}, "does not hold approve by dana"),
        ({"actor": "mallory"}, "does not hold approve by mallory"),
        ({"at": _AT}, "does not hold approve by dana at 2026-11-02T09:00"),
    ],
)
def test_a_decision_that_was_changed_on_record_is_found(change: dict[str, Any], words: str) -> None:
    book = _book(_yes("dana"), _yes("mia", 2))
    for name, value in change.items():
        setattr(book.decisions[0], name, value)
    first, second = _trail_of(book)
    assert words in first
    assert "its trail has approve by dana in place 1, and no decision on record says so" in second


def test_a_decision_that_was_taken_off_the_record_is_found() -> None:
    book = _book(_yes("dana"), _yes("mia", 2))
    del book.decisions[1]
    assert _trail_of(book) == ["its trail has approve by mia in place 2, and no decision on record says so"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda book: setattr(book.trail[0], "body", {**book.trail[0].body, "more": 2}), "entry 1 .* was changed"),
        (lambda book: book.trail.pop(0), "entry 2 stands in place 1"),
        (lambda book: setattr(book.registered, "payload_hash", "0" * 64), "entry 1 .* does not follow"),
        (lambda book: setattr(book.trail[1], "prev", "0" * 64), "entry 2 .* does not follow"),
    ],
    ids=["changed", "cut", "of another invoice", "unchained"],
)
def test_a_trail_that_is_not_whole_is_found(spoil: Any, words: str) -> None:
    book = _book(_yes("dana"), _yes("mia", 2))
    spoil(book)
    with pytest.raises(AssertionError, match=f"its trail of . entries is not whole: {words}"):
        assert not _trail_of(book), _trail_of(book)


def _content(**changes: Any) -> Book:
    book = _book(automatic=True)
    values = {"key": _KEY, "version": 1, "total_minor": 125000, "made_at": _AT, "made_by": "", "revision": _REVISION}
    book.contents = [ContentRow(**{**values, "commercial": None, **changes})]
    return book


_LESS = _COMMERCIAL.model_copy(update={"payment_terms": "net_14"})


def test_a_content_on_record_is_the_one_of_its_revision_and_adds_up() -> None:
    assert _looked(_content(), totals.of_invoice) == []
    kept = _LESS.model_dump(mode="json")
    assert _looked(_content(commercial=kept, revision=_LESS.revision(2), version=2), totals.of_invoice) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "the content on record as revision \\w+ is another"),
        ({"commercial": _LESS.model_dump(mode="json")}, "the content on record as revision \\w+ is another"),
        ({"commercial": {"lines": 1}}, "the content on record as revision \\w+ is another"),
        ({"total_minor": 125001}, "are 1,250.00 USD, its content says 1,250.01 USD"),
    ],
)
def test_a_content_that_was_changed_on_record_is_found(changes: dict[str, Any], words: str) -> None:
    (found,) = _looked(_content(**changes), totals.of_invoice)
    with pytest.raises(AssertionError, match=words):
        assert not found.evidence, found.evidence


def _case(**changes: Any) -> Book:
    book = _book(automatic=True)
    times = {
        "remind_at": _AT + 8 * _HOUR, "warn_at": _AT + 14 * _HOUR, "deadline": _AT + 16 * _HOUR,
        "first_response_at": _AT + _HOUR, "resolved_at": _AT + 2 * _HOUR,
    }  # fmt: skip
    values = {"id": "cr_1", "key": _KEY, "sequence": 1, "version": 1, "opened_at": _AT, "owner": "mia", "answer": ""}
    book.cases = [CaseRow(**{**values, **times, "message": "", "status": "declined", **changes})]
    return book


def test_a_case_whose_times_follow_each_other_is_in_order() -> None:
    assert _looked(_case(), cases.of_invoice) == []
    assert _looked(_case(warn_at=_AT + 3 * _HOUR), cases.of_invoice) == []
    assert _looked(_case(status="open", remind_at=None, warn_at=None), cases.of_invoice) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"remind_at": _AT - _HOUR}, "opened_at .* is after remind_at"),
        ({"remind_at": _AT + 17 * _HOUR}, "remind_at .* is after deadline"),
        ({"warn_at": _AT - _HOUR}, "opened_at .* is after warn_at"),
        ({"warn_at": _AT + 17 * _HOUR}, "warn_at .* is after deadline"),
        ({"breached_at": _AT + 15 * _HOUR}, "deadline .* is after breached_at"),
        ({"first_response_at": _AT + 3 * _HOUR}, "first_response_at .* is after resolved_at"),
        ({"status": "open", "owner": " "}, "without an owner"),
        ({"status": "open", "deadline": _AT - _HOUR, "remind_at": None, "warn_at": None}, "deadline 2026-11-02T08"),
    ],
)
def test_a_case_with_a_time_before_its_cause_is_found(changes: dict[str, Any], words: str) -> None:
    (found,) = _looked(_case(**changes), cases.of_invoice)
    assert found.subject == f"{_KEY} cr_1"
    with pytest.raises(AssertionError, match=words):
        assert not found.evidence, found.evidence
