"""The trail: whole as it was written, and the first entry that is not is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.decisions import Action, Decision
from billing.trail import TrailEntry, broken, chained, decision_body, genesis, holds

_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_BEGINS = genesis("invoice:p:m", "0" * 64)
_YES = Decision(at=_AT, action=Action.APPROVE, actor="dana", revision="r1", result_revision="r2", note="agreed")


def _trail(*bodies: dict[str, Any]) -> list[TrailEntry]:
    entries: list[TrailEntry] = []
    for place, body in enumerate(bodies, start=1):
        prev = entries[-1].hash if entries else _BEGINS
        entries.append(chained(place, _AT, "decision", "dana", body, prev))
    return entries


_WHOLE = _trail({"n": 1}, {"n": 2}, {"n": 3})


def test_a_chain_as_it_was_written_is_whole_also_after_a_way_through_json() -> None:
    assert broken(_WHOLE, _BEGINS) == ""
    assert broken([TrailEntry.model_validate_json(entry.model_dump_json()) for entry in _WHOLE], _BEGINS) == ""
    assert broken([], _BEGINS) == ""


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([_WHOLE[0], _WHOLE[1].model_copy(update={"body": {"n": 9}}), _WHOLE[2]], "entry 2 .* was changed"),
        ([_WHOLE[0], _WHOLE[1].model_copy(update={"actor": "mallory"}), _WHOLE[2]], "entry 2 .* was changed"),
        ([_WHOLE[0], _WHOLE[2]], "entry 3 stands in place 2"),
        ([_WHOLE[1], _WHOLE[0], _WHOLE[2]], "entry 2 stands in place 1"),
        ([*_trail({"n": 1})[:1], _trail({"n": 0}, {"n": 2})[1]], "entry 2 .* does not follow"),
    ],
)
def test_the_first_entry_that_is_wrong_is_named(entries: list[TrailEntry], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not broken(entries, _BEGINS), broken(entries, _BEGINS)


def test_the_trail_of_one_invoice_does_not_stand_for_another() -> None:
    assert "entry 1" in broken(_WHOLE, genesis("invoice:p:other", "0" * 64))
    assert "entry 1" in broken(_WHOLE, genesis("invoice:p:m", "1" * 64))


def test_a_decision_is_held_by_an_entry_that_says_all_of_it_and_perhaps_more() -> None:
    assert holds(_trail({"n": 1}, {**decision_body(_YES), "lines": [1]}), _YES)


@pytest.mark.parametrize(
    "other",
    [
        {"actor": "mia"},
        {"at": _AT + timedelta(seconds=1)},
        {"action": Action.REJECT},
        {"revision": "r0"},
        {"note": "not agreed"},
    ],
)
def test_a_decision_of_which_the_trail_says_something_else_is_not_held(other: dict[str, Any]) -> None:
    assert not holds(_trail(decision_body(_YES)), _YES.model_copy(update=other))
