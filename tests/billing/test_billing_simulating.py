"""Recorded assessments under another policy: what shifts is named and summed, what cannot be judged is not guessed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.assessing import assess
from billing.assessment import Assessment, History
from billing.intent import Motion
from billing.money import Money
from billing.policy import Policy
from billing.simulating import SHOWN, Simulating

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
AMOUNTS = st.lists(st.tuples(st.integers(0, 10**7), st.sampled_from(["JPY", "USD", "KWD"])), max_size=30)


def kept(policy: Policy, minor: int, currency: str = "USD", **history: object) -> Assessment:
    total = Money(minor=minor, currency=currency)
    known = History.model_validate(history)
    return assess(policy, motion=Motion.MILESTONE, total=total, history=known, now=NOW)


def under(policy: Policy, found: list[Assessment], changes: int = 0) -> Simulating:
    simulating = Simulating(policy, NOW)
    for number, one in enumerate(found):
        simulating.add(f"invoice:p:{number}", NOW, one.model_dump(mode="json"), changes)
    return simulating


@given(AMOUNTS)
def test_the_same_policy_shifts_nothing(amounts: list[tuple[int, str]]) -> None:
    result = under(Policy(), [kept(Policy(), minor, currency) for minor, currency in amounts]).result()
    assert (result.newly_ask.count, result.no_longer_ask.count) == (0, 0)
    assert result.automatic_then == result.automatic_now
    assert result.by_rule_then == result.by_rule_now
    assert result.judged == len(amounts)


@given(AMOUNTS, st.integers(0, 10**5))
def test_what_shifts_is_the_difference_of_what_goes_out_alone(amounts: list[tuple[int, str]], limit: int) -> None:
    other = Policy(thresholds={"default": str(limit)})
    result = under(other, [kept(Policy(), minor, currency) for minor, currency in amounts]).result()
    shifted = result.no_longer_ask.count - result.newly_ask.count
    assert result.automatic_now - result.automatic_then == shifted


def test_who_would_newly_be_asked_is_named_summed_per_currency_and_told_with_later_changes() -> None:
    strict = Policy.parse('[thresholds]\ndefault = "100.00"')
    found = [kept(Policy(), 10_001), kept(Policy(), 20_000), kept(Policy(), 10_000), kept(Policy(), 101, "JPY")]
    side = under(strict, found, changes=2).result().newly_ask
    assert (side.count, side.amounts, side.with_change_requests_later) == (3, {"JPY": "101", "USD": "300.01"}, 3)
    assert [one.key for one in side.invoices] == ["invoice:p:0", "invoice:p:1", "invoice:p:3"]
    assert side.invoices[0].rules_now == ("over_threshold",)
    assert side.invoices[0].change_requests_later == 2


def test_a_window_wider_than_the_old_one_finds_the_older_change_requests() -> None:
    asked = [NOW - timedelta(days=500)]
    wide = Policy.parse("[change_history]\ndays = 600")
    result = under(wide, [kept(Policy(), 100, change_requests=asked)]).result()
    assert result.by_rule_now == {"change_history": 1}


def test_an_assessment_that_does_not_hold_all_it_saw_is_counted_and_named() -> None:
    simulating = Simulating(Policy(), NOW)
    simulating.add("invoice:p:old", NOW, {"inputs": {"motion": "milestone", "total_minor": 5}, "reasons": []}, 0)
    result = simulating.result()
    assert (result.judged, result.not_judged, result.not_judged_keys) == (0, 1, ("invoice:p:old",))


def test_more_than_can_be_shown_are_counted_still() -> None:
    strict = Policy.parse('[thresholds]\ndefault = "0"')
    side = under(strict, [kept(Policy(), 100) for _ in range(SHOWN + 5)]).result().newly_ask
    assert (side.count, len(side.invoices), side.amounts) == (SHOWN + 5, SHOWN, {"USD": "205.00"})
