"""The demo's month holds what it promises to show, and its comparison tells where it came out otherwise."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from starter.embedded.demo.compare import disagreements
from starter.embedded.demo.month import Example, month
from starter.embedded.demo.run import directory
from starter.embedded.demo.show import folded
from starter.embedded.errors import StackError


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
    answers = [one.answer for one in month() if one.asks and not one.is_left]
    assert [(one["action"], "parts" in one) for one in answers] == [("accept", True), ("decline", False)]


def test_the_month_leaves_an_approval_and_a_change_request_to_whoever_looks() -> None:
    assert [one.expected for one in month() if one.is_left] == ["awaiting_approval", "change_requested"]


def test_played_on_again_what_somebody_took_up_is_at_rest_and_what_is_under_way_is_not() -> None:
    approval, change = (one for one in month() if one.is_left)
    answered = [{"status": "declined"}]
    for status, cases, rest in (
        ("sent", answered, [True, True]),
        # He is about to ask.
        ("viewed", [], [True, False]),
        ("issuing", answered, [False, False]),
    ):
        assert [one.is_at_rest({"status": status, "cases": cases}) for one in (approval, change)] == rest


def test_a_draft_that_waits_agrees_with_the_apis_and_has_no_number_there() -> None:
    [approval, _] = [one for one in month() if one.is_left]
    ours, audit = books(status="awaiting_approval", version=1)
    [theirs] = audit["invoices"]
    draft = {"status": "draft", "version": 1}
    assert disagreements({"k": approval}, [ours], audit | {"invoices": [theirs | draft | {"number": None}]}) == []
    [says] = disagreements({"k": approval}, [ours], audit | {"invoices": [theirs | draft]})
    assert says == "k: a draft with a number"


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


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does not remove goes with its own folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize(
    ("ends", "wrong", "keep", "stays"),
    [
        (None, [], False, False),
        (asyncio.CancelledError, [], False, False),
        (None, [], True, True),
        (StackError, [], False, True),
        (None, ["k: a draft with a number"], False, True),
    ],
)
def test_the_demos_own_directory_goes_with_it_unless_it_is_kept_or_its_logs_are_needed(
    ends: type[BaseException] | None, wrong: list[str], keep: bool, stays: bool
) -> None:
    said: list[str] = []
    with suppress(asyncio.CancelledError, StackError), directory(None, wrong, keep=keep, say=said.append) as folder:
        (folder / "logs").mkdir()
        if ends:
            raise ends("x")
    assert folder.exists() is stays
    assert said == [f"kept {folder}" if stays else f"removed {folder}; --keep keeps it"]


def test_a_directory_that_was_given_is_never_removed(tmp_path: Path) -> None:
    with directory(tmp_path, [], keep=False, say=lambda _: None):
        pass
    assert tmp_path.exists()


def test_a_key_is_broken_after_a_colon_where_there_is_no_room_and_never_in_a_word() -> None:
    key = "invoice:project_4821:overage:2026-10:api"
    assert folded(key, 160) == key
    assert folded(key, 80).split("\n") == ["invoice:project_4821:", "overage:2026-10:api"]
    assert folded("a" * 40 + ":b", 80) == "a" * 40 + ":\nb"
