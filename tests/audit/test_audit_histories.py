"""The invariants that a history decides, on histories that a sound engine would never write."""

from datetime import UTC, datetime

from audit.books import Book, World
from audit.histories import History, Step
from audit.invariants import follow_up, one_issued
from audit.look import Look
from records.tables import IntentRow

_AT = datetime(2026, 11, 1, tzinfo=UTC)
_KEY = "invoice:project_1:milestone_1"


def _book(*steps: Step, signals: tuple[tuple[tuple[int, int], dict[str, object]], ...] = ()) -> Book:
    registered = IntentRow(
        key=_KEY, motion="milestone", customer_id="acme", payload_hash="", payload="", currency="USD", total_minor=1,
        created_at=_AT,
    )  # fmt: skip
    history = History(run_ids={"run_1"}, steps=list(steps), signals=[*signals])
    return Book(registered, history=history)


def _issue() -> Step:
    return Step("issue", _AT, (0, 10), {"external_id": "inv_1"}, attempts=1, answer={"version": 1})


def _seen(kind: str, place: int, version: int = 1) -> tuple[tuple[int, int], dict[str, object]]:
    return (0, place), {"id": "evt_1", "type": f"invoice.{kind}", "data": {"version": version}}


def _asked(place: int, version: int = 1) -> Step:
    return Step("send_mail", _AT, (0, place), {"kind": "follow_up", "version": version}, attempts=1)


def _looked(book: Book, of_invoice: object) -> Look:
    look = Look("look")
    assert callable(of_invoice)
    of_invoice(book, World(as_of=_AT, has_engine=True, chains={_KEY: {"run_1"}}), look)
    return look


def test_an_issue_that_completed_twice_is_found() -> None:
    assert not _looked(_book(_issue()), one_issued.of_invoice).violations
    (found,) = _looked(_book(_issue(), _issue()), one_issued.of_invoice).violations
    assert (found.subject, "completed `issue` 2 times" in found.evidence) == (_KEY, True)


def test_a_second_workflow_under_one_key_is_found() -> None:
    look = Look("look")
    world = World(as_of=_AT, has_engine=True, chains={_KEY: {"run_1", "run_2"}})
    one_issued.of_invoice(_book(_issue()), world, look)
    assert [one.evidence for one in look.violations] == ["other workflows ran under this key: run_2"]


def test_a_follow_up_asked_for_after_a_view_was_known_is_found() -> None:
    (found,) = _looked(_book(_asked(20), signals=(_seen("viewed", 15),)), follow_up.of_invoice).violations
    assert found.subject == f"{_KEY} V1"
    assert "invoice.viewed (evt_1)" in found.evidence


def test_a_follow_up_that_a_view_could_not_stop_any_more_is_in_order() -> None:
    """The view came while the workflow was already asking; or it was of the version before."""
    for signal in (_seen("viewed", 25), _seen("viewed", 15, version=1)):
        version = 1 if signal[0] == (0, 25) else 2
        looked = _looked(_book(_asked(20, version), signals=(signal,)), follow_up.of_invoice)
        assert (looked.violations, looked.subjects) == ([], {f"{_KEY} V{version}"})


def test_a_follow_up_in_an_end_state_is_found() -> None:
    for kind in ("approved", "voided"):
        assert _looked(_book(_asked(20), signals=(_seen(kind, 15),)), follow_up.of_invoice).violations
