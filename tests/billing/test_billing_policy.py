"""The policy: who goes out by itself, who waits and why, who may decide, and a file whose mistakes are named."""

import tomllib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.approvers import Standing, refusal
from billing.assessing import assess, seen
from billing.assessment import Assessment, History, Segment
from billing.decisions import Action
from billing.errors import BadInput
from billing.intent import Motion
from billing.money import Money
from billing.policy import Motions, Policy

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[2] / "examples" / "policy.toml"
LIVE = ["dana", "robin", "kim"]


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def of(policy: Policy, total: Money, history: History | None = None, now: datetime = NOW) -> Assessment:
    return assess(policy, motion=Motion.MILESTONE, total=total, history=history or History(), now=now)


def rules(assessment: Assessment) -> list[str]:
    return [reason.rule for reason in assessment.reasons]


@pytest.mark.parametrize(("text", "automatic"), [("25000.00", True), ("25000.01", False), ("0.00", True)])
def test_a_total_of_exactly_the_threshold_goes_out_and_a_cent_more_waits(text: str, automatic: bool) -> None:
    assert of(Policy(), usd(text)).automatic is automatic


@given(st.integers(0, 10**10), st.sampled_from(["JPY", "USD", "KWD", "UYW"]))
def test_a_currency_not_listed_has_the_default_threshold_in_its_own_units(minor: int, currency: str) -> None:
    total = Money(minor=minor, currency=currency)
    assert of(Policy(), total).automatic == (total.major <= Decimal("25000.00"))


def test_a_listed_currency_has_its_own_threshold_and_the_others_keep_the_default() -> None:
    policy = Policy.parse('[thresholds]\nJPY = "3500000"')
    assert of(policy, Money.parse("3500000", "JPY")).automatic
    assert not of(policy, Money.parse("3500001", "JPY")).automatic
    assert of(policy, usd("25000.00")).automatic
    assert not of(policy, usd("25000.01")).automatic
    assert not of(Policy.parse('[thresholds]\ndefault = "0"'), usd("0.01")).automatic


@pytest.mark.parametrize(
    ("segment", "issued", "waits"),
    [("enterprise", 0, True), ("enterprise", 1, False), ("standard", 0, False)],
)
def test_the_first_invoice_to_an_enterprise_customer_waits(segment: str, issued: int, waits: bool) -> None:
    history = History(segment=Segment(segment), invoices_issued=issued)
    assert rules(of(Policy(), usd("10.00"), history)) == (["first_enterprise_invoice"] if waits else [])
    off = Policy.parse("[first_enterprise_invoice]\nask = false")
    assert of(off, usd("10.00"), history).automatic


@pytest.mark.parametrize(("currency", "waits"), [("EUR", True), ("USD", False), ("", False)])
def test_an_invoice_in_another_currency_than_the_customer_s_waits_where_the_policy_asks(
    currency: str, waits: bool
) -> None:
    asks = Policy.parse("[other_currency]\nask = true")
    found = of(asks, usd("10.00"), History(currency=currency))
    assert rules(found) == (["other_currency"] if waits else [])
    assert all("in USD" in one.text and "says EUR" in one.text for one in found.reasons)
    assert of(Policy(), usd("10.00"), History(currency=currency)).automatic


@pytest.mark.parametrize(("days_ago", "waits"), [((400,), False), ((365,), True), ((10, 400), True), ((), False)])
def test_a_customer_who_asked_for_changes_lately_waits(days_ago: tuple[int, ...], waits: bool) -> None:
    history = History(change_requests=tuple(NOW - timedelta(days=days) for days in days_ago))
    assert rules(of(Policy(), usd("10.00"), history)) == (["change_history"] if waits else [])


def test_how_many_changes_and_how_lately_is_the_policy_s_to_say() -> None:
    history = History(change_requests=(NOW - timedelta(days=5), NOW - timedelta(days=20)))
    assert of(Policy.parse("[change_history]\ncount = 3"), usd("10.00"), history).automatic
    assert of(Policy.parse("[change_history]\ncount = 2\ndays = 10"), usd("10.00"), history).automatic
    assert of(Policy.parse("[change_history]\ncount = 0"), usd("10.00"), history).automatic
    assert not of(Policy.parse("[change_history]\ncount = 2\ndays = 30"), usd("10.00"), history).automatic


def test_every_reason_is_given_in_words_that_carry_the_figures() -> None:
    history = History(segment=Segment.ENTERPRISE, change_requests=(NOW - timedelta(days=5), NOW - timedelta(days=20)))
    found = of(Policy(), usd("25000.01"), history)
    assert rules(found) == ["over_threshold", "first_enterprise_invoice", "change_history"]
    threshold, first, changes = (reason.text for reason in found.reasons)
    assert "25,000.01 USD" in threshold
    assert "25,000.00 USD" in threshold
    assert "first invoice to an enterprise customer" in first
    assert "2 times" in changes
    assert "2026-11-15" in changes


def test_an_assessment_keeps_the_policy_s_hash_and_what_it_saw() -> None:
    policy = Policy()
    found = of(policy, usd("12.50"), History(invoices_issued=4))
    assert found.policy_hash == policy.content_hash
    assert found.inputs["total_minor"] == 1250
    assert found.inputs["threshold"] == "25000.00"
    assert found.inputs["invoices_issued"] == 4


@given(st.integers(0, 10**8), st.integers(0, 3), st.sampled_from(Segment), st.lists(st.integers(0, 500), max_size=4))
def test_it_is_automatic_if_and_only_if_there_is_no_reason(
    minor: int, issued: int, segment: Segment, days: list[int]
) -> None:
    history = History(
        invoices_issued=issued, segment=segment, change_requests=tuple(NOW - timedelta(days=n) for n in days)
    )
    found = of(Policy(), Money(minor=minor, currency="USD"), history)
    assert found.automatic == (not found.reasons)
    assert (found.remind_at is None) == found.automatic
    assert Assessment.model_validate_json(found.model_dump_json()) == found


def test_an_open_approval_is_reminded_escalated_and_expires_in_business_hours() -> None:
    found = of(Policy(), usd("25000.01"))
    assert found.remind_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert found.escalate_at == datetime(2026, 11, 24, 16, tzinfo=UTC)
    assert found.expire_at == datetime(2026, 12, 4, 16, tzinfo=UTC)


def test_a_step_of_no_hours_is_left_out() -> None:
    policy = Policy.parse(
        "[approval]\nremind_after_hours = 0\n[follow_up]\nafter_days = 0\n[cases]\nwarn_before_hours = 0"
    )
    found = of(policy, usd("25000.01"))
    assert found.remind_at is None
    assert found.escalate_at is not None
    assert found.follow_up_after is None
    assert found.follow_up_at(NOW) is None
    assert found.case_times(NOW).warn_at is None


def test_a_case_is_due_in_business_hours_and_a_follow_up_waits_for_an_hour_when_people_work() -> None:
    found = of(Policy(), usd("10.00"))
    times = found.case_times(NOW)
    assert times.remind_at == datetime(2026, 11, 23, 16, tzinfo=UTC)
    assert times.deadline == datetime(2026, 11, 24, 16, tzinfo=UTC)
    assert found.follow_up_at(datetime(2026, 11, 18, 3, tzinfo=UTC)) == datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_a_case_goes_to_its_owner_and_without_one_to_the_assignee() -> None:
    assert of(Policy.parse('[approval]\nassignee = "dana"'), usd("10.00")).case_owner == "dana"
    both = Policy.parse('[approval]\nassignee = "dana"\n[cases]\nowner = "kim"')
    assert of(both, usd("10.00")).case_owner == "kim"


def may(policy: Policy, actor: str, total: str = "30000.00", triggered_by: str = "pm-tool") -> str:
    return refusal(policy, actor, Action.APPROVE, total=usd(total), triggered_by=triggered_by, live=LIVE)


def test_without_a_list_every_live_approver_may_and_nobody_else() -> None:
    assert may(Policy(), "dana") == ""
    assert "no approver" in may(Policy(), "mallory")
    assert "no approver" in may(Policy(), "")


def test_nobody_approves_what_he_triggered_himself() -> None:
    assert "triggered" in may(Policy(), "dana", triggered_by="dana")
    named = Policy.parse('[[approvers]]\nname = "dana"')
    assert "triggered" in may(named, "dana", triggered_by="dana")


def test_a_list_narrows_the_live_approvers_and_gives_nobody_a_token() -> None:
    policy = Policy.parse('[[approvers]]\nname = "dana"\n[[approvers]]\nname = "gone"')
    assert may(policy, "dana") == ""
    assert "does not name robin" in may(policy, "robin")
    assert "no approver" in may(policy, "gone")


@pytest.mark.parametrize(("total", "allowed"), [("50000.00", True), ("50000.01", False)])
def test_an_approver_s_limit_is_what_he_may_still_approve(total: str, allowed: bool) -> None:
    policy = Policy.parse('[[approvers]]\nname = "dana"\nlimits = { USD = "50000.00" }')
    assert (may(policy, "dana", total) == "") is allowed
    euro = Money.parse("1.00", "EUR")
    euros = refusal(policy, "dana", Action.APPROVE, total=euro, triggered_by="", live=LIVE)
    assert "no limit in EUR" in euros


def test_of_two_who_must_approve_the_second_is_somebody_else() -> None:
    asked: dict[str, Any] = {"total": usd("90000.00"), "triggered_by": "", "live": LIVE, "approved_by": ("dana",)}
    assert "second person" in refusal(Policy(), "dana", Action.APPROVE, **asked)
    assert refusal(Policy(), "robin", Action.APPROVE, **asked) == ""
    assert refusal(Policy(), "dana", Action.REJECT, **asked) == ""


@pytest.mark.parametrize("action", sorted(set(Action) - {Action.APPROVE, Action.REJECT}))
def test_what_changes_no_amount_needs_an_approver_and_no_limit(action: Action) -> None:
    policy = Policy.parse('[[approvers]]\nname = "dana"\nlimits = { USD = "1.00" }')
    asked: dict[str, Any] = {"total": usd("90000.00"), "triggered_by": "dana", "live": LIVE}
    assert refusal(policy, "dana", action, **asked) == ""
    assert "does not name robin" in refusal(policy, "robin", action, **asked)
    assert "no approver" in refusal(policy, "mallory", action, **asked)


@pytest.mark.parametrize(
    ("currency", "text", "needed"),
    [("USD", "100000.00", 1), ("USD", "100000.01", 2), ("JPY", "9000000", 1), ("JPY", "9000001", 2),
     ("KWD", "100000.000", 1), ("KWD", "100000.001", 2)],
)  # fmt: skip
def test_a_total_over_the_second_limit_needs_two_people(currency: str, text: str, needed: int) -> None:
    policy = Policy.parse(
        '[thresholds]\ndefault = "900000000"\n[second_limits]\ndefault = "100000.00"\nJPY = "9000000"'
    )
    found = of(policy, Money.parse(text, currency))
    assert found.approvals_needed == needed
    assert rules(found) == (["second_limit"] if needed == 2 else [])


def test_without_a_second_limit_one_person_is_always_enough() -> None:
    assert of(Policy(), usd("99999999.00")).approvals_needed == 1


def test_a_motion_can_always_want_a_person() -> None:
    policy = Policy.parse('[motions]\nalways = ["quote"]')
    asked: dict[str, Any] = {"total": usd("1.00"), "history": History(), "now": NOW}
    assert rules(assess(policy, motion=Motion.QUOTE, **asked)) == ["motion"]
    assert assess(policy, motion=Motion.MILESTONE, **asked).automatic


@pytest.mark.parametrize(
    ("total", "before", "waits"),
    [("200.00", (10000, 10000, 10000), False), ("200.01", (10000, 10000, 10000), True),
     ("50.00", (10000, 10000, 10000), False), ("49.99", (10000, 10000, 10000), True),
     ("900.00", (10000,), False), ("200.01", (10000, 10000, 10000, 99999999), True), ("0.01", (0, 0, 0), True),
     ("0.00", (0, 0, 0), False)],
)  # fmt: skip
def test_usage_far_off_the_mean_of_the_subscription_s_last_invoices_waits(
    total: str, before: tuple[int, ...], waits: bool
) -> None:
    asked: dict[str, Any] = {"total": usd(total), "history": History(usage_minor=before), "now": NOW}
    assert rules(assess(Policy(), motion=Motion.USAGE, **asked)) == (["usage_variance"] if waits else [])
    assert assess(Policy(), motion=Motion.MILESTONE, **asked).automatic
    off = Policy.parse('[usage_variance]\nfactor = "0"')
    assert assess(off, motion=Motion.USAGE, **asked).automatic


PEOPLE = """
[approval]
assignee = "dana"
[[assign]]
to = "robin"
motion = "quote"
over = { USD = "1000.00" }
[[assign]]
to = "kim"
segment = "enterprise"
[[approvers]]
name = "dana"
[[approvers]]
name = "robin"
email = "robin@billhook.example"
[approvers.business_hours]
zone = "America/New_York"
[[approvers]]
name = "kim"
"""


@pytest.mark.parametrize(
    ("motion", "text", "segment", "to"),
    [(Motion.QUOTE, "1000.01", "standard", "robin"), (Motion.QUOTE, "1000.00", "standard", "dana"),
     (Motion.QUOTE, "1000.01", "enterprise", "robin"), (Motion.MILESTONE, "9.00", "enterprise", "kim")],
)  # fmt: skip
def test_the_first_rule_that_fits_says_whom_an_approval_is_put_to(
    motion: Motion, text: str, segment: str, to: str
) -> None:
    history = History(segment=Segment(segment))
    found = assess(Policy.parse(PEOPLE), motion=motion, total=usd(text), history=history, now=NOW)
    assert found.assignee == to


@pytest.mark.parametrize(
    ("currency", "text", "to"),
    [("JPY", "700000", "dana"), ("JPY", "700001", "robin"), ("KWD", "5000.000", "dana"), ("KWD", "5000.001", "robin"),
     ("USD", "999999.00", "dana")],
)  # fmt: skip
def test_an_assignment_counts_over_its_amount_and_not_in_a_currency_it_does_not_name(
    currency: str, text: str, to: str
) -> None:
    policy = Policy.parse(
        '[approval]\nassignee = "dana"\n[[assign]]\nto = "robin"\nover = { JPY = "700000", KWD = "5000" }'
    )
    assert of(policy, Money.parse(text, currency)).assignee == to


def test_one_amount_over_which_an_assignment_counts_holds_in_every_currency() -> None:
    short = Policy.parse('[[assign]]\nto = "robin"\nover = "700"')
    assert short == Policy.parse('[[assign]]\nto = "robin"\nover = { default = "700" }')
    assert of(short, Money.parse("700", "JPY")).assignee == ""
    assert of(short, Money.parse("700.001", "KWD")).assignee == "robin"


@pytest.mark.parametrize(
    ("currency", "total", "before", "waits"),
    [("JPY", 201, (100, 101), False), ("JPY", 202, (100, 101), True), ("KWD", 2000, (1000, 1000), False),
     ("KWD", 2001, (1000, 1000), True), ("KWD", 499, (1000, 1000), True), ("KWD", 500, (1000, 1000), False)],
)  # fmt: skip
def test_a_mean_of_usage_is_exact_in_currencies_of_any_decimals(
    currency: str, total: int, before: tuple[int, ...], waits: bool
) -> None:
    found = assess(
        Policy(),
        motion=Motion.USAGE,
        total=Money(minor=total, currency=currency),
        history=History(usage_minor=before),
        now=NOW,
    )
    assert found.automatic is not waits


@pytest.mark.parametrize(
    ("zone", "holidays", "now", "remind", "escalate"),
    [
        # Reminded after four hours, escalated after sixteen; both from an hour before closing.
        # 3 November 2026 is a public holiday of New York: Election Day.
        ("Europe/Berlin", "DE-BE", "2026-11-20T16:00+01:00", "2026-11-23T12:00+01:00", "2026-11-24T16:00+01:00"),
        ("Europe/Berlin", "DE-BE", "2026-12-24T16:00+01:00", "2026-12-28T12:00+01:00", "2026-12-29T16:00+01:00"),
        ("Europe/Berlin", "DE-BE", "2026-03-27T16:00+01:00", "2026-03-30T12:00+02:00", "2026-03-31T16:00+02:00"),
        ("Europe/Berlin", "DE-BE", "2026-10-23T16:00+02:00", "2026-10-26T12:00+01:00", "2026-10-27T16:00+01:00"),
        ("America/New_York", "US-NY", "2026-11-20T16:00-05:00", "2026-11-23T12:00-05:00", "2026-11-24T16:00-05:00"),
        ("America/New_York", "US-NY", "2026-11-25T16:00-05:00", "2026-11-27T12:00-05:00", "2026-11-30T16:00-05:00"),
        ("America/New_York", "US-NY", "2026-03-06T16:00-05:00", "2026-03-09T12:00-04:00", "2026-03-10T16:00-04:00"),
        ("America/New_York", "US-NY", "2026-10-30T16:00-04:00", "2026-11-02T12:00-05:00", "2026-11-04T16:00-05:00"),
    ],
    ids=["Berlin weekend", "Berlin Christmas", "Berlin spring", "Berlin autumn",
         "New York weekend", "Thanksgiving", "New York spring", "New York autumn"],
)  # fmt: skip
def test_the_assignee_s_hours_pass_over_weekends_holidays_and_clock_changes(
    zone: str, holidays: str, now: str, remind: str, escalate: str
) -> None:
    policy = Policy.parse(
        '[motions]\nalways = ["milestone"]\n[approval]\nassignee = "kim"\n[[approvers]]\nname = "kim"\n'
        f'[approvers.business_hours]\nzone = "{zone}"\nholidays = "{holidays}"'
    )
    found = of(policy, usd("1.00"), now=datetime.fromisoformat(now).astimezone(UTC))
    assert (found.remind_at, found.escalate_at) == (datetime.fromisoformat(remind), datetime.fromisoformat(escalate))
    # A case is the assignee's too here: reminded at half of sixteen hours, due after all of them.
    times = found.case_times(datetime.fromisoformat(now).astimezone(UTC))
    assert times.deadline == found.escalate_at
    assert times.warn_at == found.escalate_at - timedelta(hours=2)


def test_times_run_by_the_calendar_of_whoever_must_decide() -> None:
    policy = Policy.parse(PEOPLE + '[motions]\nalways = ["quote", "milestone"]')
    asked: dict[str, Any] = {"history": History(), "now": NOW}
    robin = assess(policy, motion=Motion.QUOTE, total=usd("1000.01"), **asked)
    assert robin.assignee_mail == "robin@billhook.example"
    # A Friday, 11:00 in New York: four hours are left of six.
    assert robin.remind_at == datetime(2026, 11, 20, 20, tzinfo=UTC)
    assert assess(policy, motion=Motion.MILESTONE, total=usd("1.00"), **asked).remind_at == datetime(
        2026, 11, 23, 12, tzinfo=UTC
    )


@given(st.integers(0, 10**8), st.integers(0, 10**8), st.sampled_from(["JPY", "USD", "KWD"]))
def test_a_stricter_threshold_never_lets_more_out(minor: int, limit: int, currency: str) -> None:
    total = Money(minor=minor, currency=currency)
    strict = Policy(thresholds={currency: str(Money(minor=limit // 2, currency=currency).major)})
    lax = Policy(thresholds={currency: str(Money(minor=limit, currency=currency).major)})
    assert not (of(strict, total).automatic and not of(lax, total).automatic)


@given(st.integers(0, 10**8), st.integers(0, 10**8), st.booleans(), st.sampled_from(["JPY", "USD", "KWD"]))
def test_a_stricter_policy_never_gives_fewer_reasons_and_the_same_one_says_the_same(
    minor: int, limit: int, always: bool, currency: str
) -> None:
    total = Money(minor=minor, currency=currency)
    lax = Policy(second_limits={currency: f"{Money(minor=limit, currency=currency).major:f}"})
    strict = Policy(
        thresholds={"default": "0"},
        second_limits={currency: f"{Money(minor=limit // 2, currency=currency).major:f}"},
        motions=Motions(always=(Motion.MILESTONE,) if always else ()),
    )
    assert set(rules(of(lax, total))) <= set(rules(of(strict, total)))
    assert of(lax, total).approvals_needed <= of(strict, total).approvals_needed
    assert of(strict, total) == of(strict, total)


PASSED_OVER = """
[approval]
assignee = "dana"
escalate_to = "robin"
[[approvers]]
name = "dana"
limits = { USD = "40000.00" }
[approvers.business_hours]
zone = "Europe/Berlin"
[[approvers]]
name = "robin"
email = "robin@billhook.example"
[approvers.business_hours]
zone = "America/New_York"
"""


@pytest.mark.parametrize(
    ("standing", "total", "to", "words"),
    [
        ({}, "30000.00", "dana", ""),
        ({"triggered_by": "dana"}, "30000.00", "robin", "put to robin instead, since dana triggered"),
        ({"live": ["robin"]}, "30000.00", "robin", "put to robin instead, since 'dana' is no approver"),
        ({"approved_by": ("dana",)}, "30000.00", "robin", "put to robin instead, since dana has approved"),
        ({}, "40000.01", "robin", "over dana's limit"),
        ({"triggered_by": "robin"}, "40000.01", "", "put to anyone who may approve instead, since"),
        ({"live": []}, "30000.00", "", "put to anyone who may approve instead, since"),
        ({"triggered_by": "robin"}, "30000.00", "dana", ""),
    ],
)
def test_an_approval_is_put_to_the_next_who_may_where_the_one_named_may_not(
    standing: dict[str, Any], total: str, to: str, words: str
) -> None:
    known = Standing(**({"triggered_by": "pm-tool", "live": ["dana", "robin"]} | standing))
    asked: dict[str, Any] = {"motion": Motion.MILESTONE, "total": usd(total), "history": History(), "now": NOW}
    found = assess(Policy.parse(PASSED_OVER), **asked, standing=known)
    assert found.assignee == to
    assert words in found.assignee_reason
    assert bool(found.assignee_reason) is bool(words)
    assert found.assignee_mail == ("robin@billhook.example" if to == "robin" else "")
    zones = {"dana": "Europe/Berlin", "robin": "America/New_York", "": "UTC"}
    assert found.assignee_calendar.zone == zones[to]
    assert found.case_owner == "dana"


def test_where_the_rules_name_nobody_anyone_may_and_nothing_has_to_be_said() -> None:
    policy = Policy.parse('[approval]\nescalate_to = "robin"')
    known = Standing("pm-tool", ["dana"])
    asked: dict[str, Any] = {"motion": Motion.MILESTONE, "total": usd("30000.00"), "history": History(), "now": NOW}
    found = assess(policy, **asked, standing=known)
    assert (found.assignee, found.assignee_reason) == ("", "")


def test_what_goes_out_by_itself_is_put_to_nobody_and_says_so_of_nobody() -> None:
    asked: dict[str, Any] = {"motion": Motion.MILESTONE, "total": usd("10.00"), "history": History(), "now": NOW}
    assert assess(Policy.parse(PASSED_OVER), **asked, standing=Standing("dana", [])).assignee_reason == ""


def test_what_an_assessment_saw_is_enough_to_judge_it_again() -> None:
    asked_at = (NOW - timedelta(days=400),)
    history = History(invoices_issued=2, change_requests=asked_at, currency="EUR", usage_minor=(5, 6))
    asked: dict[str, Any] = {
        "motion": Motion.USAGE,
        "total": usd("12.50"),
        "history": history,
        "now": NOW,
        "scope": "sub_1",
    }
    found = assess(Policy(), **asked)
    assert seen(found.inputs) == asked
    assert assess(Policy(), **(seen(found.inputs) or {})) == found
    assert seen({name: value for name, value in found.inputs.items() if name != "usage_minor"}) is None


def test_the_hash_names_what_a_policy_says_and_not_how_it_is_laid_out() -> None:
    assert Policy.parse("# nothing but a remark\n").content_hash == Policy().content_hash
    assert Policy.parse("[change_history]\ncount = 1").content_hash == Policy().content_hash
    assert Policy.parse("[change_history]\ncount = 2").content_hash != Policy().content_hash
    assert Policy.parse('[business_hours]\nholidays = "DE"').content_hash != Policy().content_hash


def test_the_example_is_valid_and_shows_every_section() -> None:
    text = EXAMPLE.read_text()
    Policy.parse(text)
    assert set(tomllib.loads(text)) | {"approvers", "assign", "second_limits"} == set(Policy.model_fields)


@pytest.mark.parametrize(
    ("text", "field", "line"),
    [
        ("[thresholds]\n\nJPY = 3500000", "thresholds.JPY", 3),
        ("[thresholds]\nUSD = 25000.00", "thresholds.USD", 2),
        ('[thresholds]\nJPY = "1.5"', "thresholds.JPY", 2),
        ('[thresholds]\nUSD = "-1"', "thresholds.USD", 2),
        ('[second_limits]\nUSD = "x"', "second_limits.USD", 2),
        ("[usage_variance]\nfactor = 2", "usage_variance.factor", 2),
        ('[usage_variance]\nfactor = "1"', "usage_variance.factor", 2),
        ('[motions]\nalways = ["quotes"]', "motions.always.0", 2),
        ('[[assign]]\nto = "dana"\nsegment = "huge"', "assign.0.segment", 3),
        ('[[approvers]]\nname = "dana"\n[[assign]]\nto = "kim"', "assign.0.to", 4),
        ('[[approvers]]\nname = "dana"\nemail = "dana"', "approvers.0.email", 3),
        ('[approval]\non_expiry = "forget"', "approval.on_expiry", 2),
        ("[cases]\nwarn_before_hours = 16", "cases.warn_before_hours", 2),
        ('[[approvers]]\nname = "dana"\n[cases]\nowner = "kim"', "cases.owner", 4),
        ('[thresholds]\nUSD = "1,000"', "thresholds.USD", 2),
        ('[thresholds]\nXAU = "1"', "thresholds.XAU", 2),
        ('thresholds = { usd = "1" }', "thresholds.usd", 1),
        ('thresholds.usd = "1"', "thresholds.usd", 1),
        ('[thresholds]\ndefault = ""', "thresholds.default", 2),
        ('\n[treshold]\nUSD = "1"', "treshold", 2),
        ("[approval]\n# a remark\nremind_after = 4", "approval.remind_after", 3),
        ('[approval]\nremind_after_hours = "4"', "approval.remind_after_hours", 2),
        ("[approval]\nremind_after_hours = -1", "approval.remind_after_hours", 2),
        ("[approval]\nremind_after_hours = 1.5", "approval.remind_after_hours", 2),
        ("[first_enterprise_invoice]\nask = 1", "first_enterprise_invoice.ask", 2),
        ("[cases]\ndeadline_hours = 0", "cases.deadline_hours", 2),
        ('[[approvers]]\nname = "a"\n[[approvers]]\nname = "a"', "approvers.1.name", 4),
        ('[[approvers]]\nname = "a"\n[[approvers]]\nname = "b"\nlimits = { USD = "x" }', "approvers.1.limits.USD", 5),
        ('[approval]\nassignee = "b"\n[[approvers]]\nname = "a"', "approval.assignee", 2),
        ('[business_hours]\nzone = "Mars/Olympus"', "business_hours.zone", 2),
        ('[business_hours]\nholidays = "QQ"', "business_hours.holidays", 2),
        ("[business_hours]\nopens = 9", "business_hours.opens", 2),
        ('[business_hours]\nweekdays = ["mon", "tues"]', "business_hours.weekdays.1", 2),
        ("[business_hours]\nopens = 17:00:00\ncloses = 09:00:00", "business_hours", 1),
        ("[usage_variance]\ninvoices = 2\nat_least = 3", "usage_variance.at_least", 3),
        ("[usage_variance]\ninvoices = 0", "usage_variance.invoices", 2),
        ('[[assign]]\nto = "dana"\nover = 5', "assign.0.over", 3),
        ('[[assign]]\nto = "dana"\nover = { JPY = "1.5" }', "assign.0.over.JPY", 3),
        ('[[assign]]\nto = "dana"\nmotion = "quotes"', "assign.0.motion", 3),
        ('[[assign]]\nmotion = "quote"', "assign.0.to", 1),
        ("[approval]\nescalate_after_hours = -1", "approval.escalate_after_hours", 2),
        ("[approval]\nexpire_after_hours = -1", "approval.expire_after_hours", 2),
        ('[approval]\nescalate_to = "b"\n[[approvers]]\nname = "a"', "approval.escalate_to", 2),
        ('[cases]\nescalate_to = "b"\n[[approvers]]\nname = "a"', "cases.escalate_to", 2),
        ('[second_limits]\nKWD = "1.0001"', "second_limits.KWD", 2),
        ('[[approvers]]\nname = "a"\n[approvers.business_hours]\nzone = "Mars"', "approvers.0.business_hours.zone", 4),
        (
            '[[approvers]]\nname = "a"\n[[approvers]]\nname = "b"\n[approvers.limits]\nUSD = 5',
            "approvers.1.limits.USD",
            6,
        ),
    ],
)
def test_a_mistake_in_the_file_is_named_by_key_and_line(text: str, field: str, line: int) -> None:
    with pytest.raises(BadInput, match=rf"\(line {line}\)") as refusal:
        Policy.parse(text)
    assert refusal.value.field == field


def test_a_file_that_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(BadInput, match="line 2") as refusal:
        Policy.parse("[thresholds]\nUSD = = 1\n")
    assert refusal.value.field == "policy"
