"""Keys and ownership: names that make repetition harmless, and the map of what may leave our side."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import keys
from billing.errors import BadInput
from billing.ownership import OWNERSHIP, RECIPIENT_FIELDS, Owner, may_send, only_sendable

ids = st.from_regex(re.compile(keys.ID_PATTERN, re.ASCII), fullmatch=True)
milestones = ids.filter(lambda value: value not in keys.RESERVED_MILESTONES)
periods = st.from_regex(re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII), fullmatch=True)


def test_the_keys_read_as_the_contract_says() -> None:
    assert keys.milestone_key("project_4821", "milestone_3") == "invoice:project_4821:milestone_3"
    assert keys.project_key("project_4821") == "invoice:project_4821:completed"
    assert keys.quote_key("Q-7") == "invoice:Q-7"
    assert keys.overage_key("sub_9", "2026-10", "api_calls") == "invoice:sub_9:overage:2026-10:api_calls"
    assert keys.usage_key("sub_9", "2026-10") == "invoice:sub_9:2026-10"


@given(milestones, milestones, milestones, milestones)
def test_two_milestones_share_a_key_only_if_they_are_the_same(a: str, b: str, c: str, d: str) -> None:
    assert (keys.milestone_key(a, b) == keys.milestone_key(c, d)) == ((a, b) == (c, d))


@given(ids, milestones, periods)
def test_a_key_takes_apart_one_way_only(first: str, second: str, period: str) -> None:
    assert keys.milestone_key(first, second).split(":") == ["invoice", first, second]
    assert keys.overage_key(first, period, second).split(":") == ["invoice", first, "overage", period, second]


@given(milestones, milestones)
def test_a_milestone_s_key_is_never_a_project_s_or_a_quote_s(project: str, milestone: str) -> None:
    key = keys.milestone_key(project, milestone)
    assert key not in {keys.project_key(project), keys.quote_key(project)}


@pytest.mark.parametrize("word", sorted(keys.RESERVED_MILESTONES))
def test_a_milestone_named_like_another_motion_s_word_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="reserved") as refusal:
        keys.milestone_key("p", word)
    assert refusal.value.field == "milestone_id"


@pytest.mark.parametrize("value", ["", "a:b", "a b", "a/b", "ä", "a\n", "x" * 101, "\u0661"])
def test_what_cannot_stand_in_a_key_is_refused_naming_its_field(value: str) -> None:
    for make, field in ((keys.quote_key, "quote_id"), (keys.project_key, "project_id")):
        with pytest.raises(BadInput) as refusal:
            make(value)
        assert refusal.value.field == field


@pytest.mark.parametrize("period", ["2026-13", "2026-00", "2026-1", "202610", "2026-10-01", "\u0968026-10", ""])
def test_what_is_no_month_is_refused(period: str) -> None:
    with pytest.raises(BadInput, match="no month") as refusal:
        keys.usage_key("sub", period)
    assert refusal.value.field == "period"


@given(ids, milestones, st.sampled_from(["create", "patch", "issue", "mail"]), st.integers(1, 99))
def test_a_step_key_fits_a_header_and_says_its_step(first: str, second: str, step: str, version: int) -> None:
    key = keys.milestone_key(first, second)
    stepped = keys.step_key(key, step, version)
    assert stepped == keys.step_key(key, step, version)
    assert stepped.startswith("invoice:")
    assert stepped.endswith(f":{step}:v{version}")
    assert len(stepped) <= 255
    assert stepped != keys.step_key(key, step)
    assert stepped != keys.step_key(key, step, version + 1)


def test_every_field_has_one_owner_and_the_recipient_s_five_are_his() -> None:
    names = [item.field for item in OWNERSHIP]
    assert len(names) == len(set(names))
    assert set(RECIPIENT_FIELDS) == {"po_number", "billing_entity", "address", "ap_contact", "tax_id"}


@pytest.mark.parametrize("item", OWNERSHIP, ids=lambda item: item.field)
def test_only_our_fields_leave_our_side_unless_the_recipient_gave_his_before(item: object) -> None:
    field, owner = item.field, item.owner  # type: ignore[attr-defined]
    assert may_send(field) == (owner is Owner.WE)
    assert may_send(field, frozenset({field})) == (owner is not Owner.API)


def test_a_draft_with_somebody_else_s_field_is_not_sent() -> None:
    assert only_sendable({"currency": "USD"}) == {"currency": "USD"}
    assert only_sendable({"po_number": "PO-1"}, frozenset({"po_number"})) == {"po_number": "PO-1"}
    for field in ("po_number", "number", "pdf", "share_url", "nobody_knows_this"):
        with pytest.raises(ValueError, match=field):
            only_sendable({"currency": "USD", field: "x"})
