"""The demo's month holds what it promises to show, and its comparison tells where it came out otherwise."""

from typing import Any

import pytest

from starter.embedded.demo.compare import disagreements
from starter.embedded.demo.month import Example, month
from starter.embedded.demo.show import folded


def changed() -> Example:
    return next(one for one in month() if one.answer.get("action") == "accept")


def books(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The accepted example as it should end, ours and the sandbox's; `changes` are in ours."""
    case = {"status": "accepted", "in_part": True}
    common = {"version": 2, "currency": "USD"}
    ours = {
        "key": "k",
        "status": "billed",
        "total_minor": 470500,
        "cases": [case],
        "recipient": {"po_number": "CS-0914"},
    }
    theirs = {"reference": "k", "status": "approved", "total_cents": 470500, "number": "1"}
    audit = {"invoices": [common | theirs], "numbers": {"contiguous": True, "missing": []}}
    return common | ours | changes, audit


def test_the_month_has_a_change_accepted_in_part_and_one_declined() -> None:
    answers = [one.answer for one in month() if one.asks]
    assert [(one["action"], "parts" in one) for one in answers] == [("accept", True), ("decline", False)]


def test_a_month_that_went_as_it_should_disagrees_nowhere() -> None:
    ours, audit = books()
    assert disagreements({"k": changed()}, [ours], audit) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cases": [{"status": "declined", "in_part": False}]}, "answer is ['declined'], should be ['accepted']"),
        ({"cases": [{"status": "accepted", "in_part": False}]}, "in part is [False], should be [True]"),
        ({"version": 1}, "version is 1, should be 2"),
    ],
)
def test_a_change_that_came_to_something_else_is_told(changes: dict[str, Any], says: str) -> None:
    ours, audit = books(**changes)
    assert any(says in one for one in disagreements({"k": changed()}, [ours], audit))


def test_a_key_is_broken_after_a_colon_where_there_is_no_room_and_never_in_a_word() -> None:
    key = "invoice:project_4821:overage:2026-10:api"
    assert folded(key, 160) == key
    assert folded(key, 80).split("\n") == ["invoice:project_4821:", "overage:2026-10:api"]
    assert folded("a" * 40 + ":b", 80) == "a" * 40 + ":\nb"
