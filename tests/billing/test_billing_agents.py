"""What an agent may do by itself: nothing but ask, and only within policy, limit and customers does asking suffice."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.actions import available_actions
from billing.agents import HELD, LIMIT, OF_AGENTS, Grant, hold, open_to_agents, with_hold
from billing.assessing import assess, seen
from billing.assessment import History, Reason
from billing.decisions import Action
from billing.intent import Motion
from billing.money import Money
from billing.policy import Policy
from billing.record import Status

GRANT = Grant(name="bot", limits={"USD": 500_000, "JPY": 4000}, customers=("acme",))
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
PEOPLES = {Action.APPROVE, Action.REJECT, Action.CANCEL, Action.RETRY, Action.ABANDON, Action.DELEGATE}


def usd(minor: int) -> Money:
    return Money(minor=minor, currency="USD")


@pytest.mark.parametrize(
    ("grant", "customer", "total", "asked", "rule"),
    [
        (GRANT, "acme", usd(500_000), True, None),
        (GRANT, "acme", usd(500_000), False, HELD),
        (GRANT, "acme", usd(500_001), True, LIMIT),
        (GRANT, "acme", usd(500_001), False, LIMIT),
        (GRANT, "acme", Money(minor=1, currency="EUR"), True, LIMIT),
        (GRANT, "acme", Money(minor=4000, currency="JPY"), True, None),
        (GRANT, "other", usd(1), True, LIMIT),
        (None, "acme", usd(1), True, LIMIT),
        (Grant(name="bot"), "acme", usd(0), True, LIMIT),
    ],
)
def test_it_goes_out_at_its_wish_only_within_its_bounds(
    grant: Grant | None, customer: str, total: Money, asked: bool, rule: str | None
) -> None:
    found = hold("bot", grant, customer, total, asked=asked)
    assert (found.rule if found else None) == rule


def assessed(total: Money, agent: Reason | None, **policy: Any) -> Any:
    return assess(
        Policy.model_validate(policy),
        motion=Motion.MILESTONE,
        total=total,
        history=History(currency="USD"),
        now=NOW,
        agent=agent,
    )


def test_a_held_draft_is_put_to_nobody_and_one_that_a_person_must_see_to_whom_the_policy_says() -> None:
    dana = {"approval": {"assignee": "dana"}}
    held = assessed(usd(100), hold("bot", GRANT, "acme", usd(100), asked=False), **dana)
    assert ([one.rule for one in held.reasons], held.assignee, held.automatic) == ([HELD], "", False)
    over = assessed(usd(500_001), hold("bot", GRANT, "acme", usd(500_001), asked=False), **dana)
    assert ([one.rule for one in over.reasons], over.assignee) == ([LIMIT], "dana")
    total = usd(2_500_001)
    large = assessed(
        total, hold("bot", GRANT.model_copy(update={"limits": {"USD": 9**12}}), "acme", total, asked=False)
    )
    assert [one.rule for one in large.reasons] == ["over_threshold"], "where a person must look, nothing waits for it"


def test_what_held_it_is_kept_so_that_it_can_be_judged_again() -> None:
    for asked in (True, False):
        found = assessed(usd(500_001), hold("bot", GRANT, "acme", usd(500_001), asked=asked))
        told = seen(found.inputs)
        assert told is not None
        assert assess(Policy(), **told).reasons == found.reasons


def test_reasons_of_people_come_first_and_none_of_them_is_an_agent_s() -> None:
    ours = (Reason(rule="over_threshold", text="x"),)
    limit = Reason(rule=LIMIT, text="y")
    assert with_hold(ours, limit) == (*ours, limit)
    assert with_hold(ours, Reason(rule=HELD, text="z")) == ours
    assert with_hold((), None) == ()
    assert not {one.rule for one in ours} & OF_AGENTS


@pytest.mark.parametrize("status", list(Status))
def test_no_state_opens_a_decision_to_an_agent(status: Status) -> None:
    for own in (True, False):
        actions = set(open_to_agents(status, is_own_draft=own))
        assert not actions & PEOPLES
        assert not actions & set(available_actions(status))
        assert open_to_agents(status, approved=True, is_own_draft=own) == ()
    assert Action.REVISE_DRAFT not in open_to_agents(status, is_own_draft=False)
