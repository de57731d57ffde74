"""A run's plan: sums to the cent, lists that do not grow and count what they leave out, calls as the workflow makes."""

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.assessment import Assessment, Reason
from billing.errors import BadInput
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.money import Money
from billing.pace import Pace, Steps, pace, says, span, steps_of
from billing.queues import Queue
from billing.record import Status
from billing.run_plan import SHOWN, Changes, Month, Planning, Standing
from billing.usage import Skipped
from workflows.options import QUEUES

AT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
HISTORIES = Path(__file__).parent.parent / "histories"


def an_intent(key: str, minor: int, currency: str) -> Intent:
    line = Line(description="api", quantity=Decimal(1), unit_price=Money(minor=minor, currency=currency).major)
    source = Source(event_id="e", occurred_at=AT, scope=key)
    commercial = Commercial(currency=currency, lines=(line,))
    return Intent(key=key, motion=Motion.USAGE, customer_id="c", commercial=commercial, source=source)


def standing(
    minor: int, currency: str = "USD", status: Status = Status.SENT, motion: Motion = Motion.USAGE
) -> Standing:
    return Standing(motion=motion, total=Money(minor=minor, currency=currency), status=status)


def a_month(name: str, customer: str, outcome: Intent | Skipped | BadInput | None, **more: object) -> Month:
    return Month(name, customer, f"invoice:{name}:2026-10", outcome, **more)  # type: ignore[arg-type]


def told(months: list[tuple[str, int, int, str]]) -> tuple[Changes, ...]:
    """Of (customer, before, now, currency), in the order in which customers are read."""
    planning = Planning()
    for number, (customer, before, now, currency) in enumerate(sorted(months)):
        outcome = an_intent(f"s{number}", now, currency) if now else Skipped(f"s{number}", "2026-10", "nothing")
        planning.add(a_month(f"s{number}", customer, outcome, before=standing(before, currency) if before else None))
    return planning.changes()


MONTHS = st.lists(
    st.tuples(
        st.integers(0, 60).map(str),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(["JPY", "USD", "KWD"]),
    ),
    max_size=120,
)


@given(MONTHS)
def test_what_changed_by_customer_adds_up_to_what_changed_whatever_the_list_leaves_out(
    months: list[tuple[str, int, int, str]],
) -> None:
    for one in told(months):
        mine = [(customer, before, now) for customer, before, now, currency in months if currency == one.currency]
        size = Money(minor=1, currency=one.currency).major
        assert Decimal(one.before) == sum(before for _, before, _ in mine) * size
        assert Decimal(one.now) == sum(now for _, _, now in mine) * size
        listed = sum((Decimal(change.difference) for change in one.largest), Decimal(0))
        assert (
            listed + Decimal(one.others_difference) == Decimal(one.difference) == Decimal(one.now) - Decimal(one.before)
        )
        assert len(one.largest) <= SHOWN
        assert one.up + one.down + one.new + one.gone == len(one.largest) + one.others


@given(MONTHS)
def test_the_largest_changes_are_listed_the_largest_first(months: list[tuple[str, int, int, str]]) -> None:
    by_customer: dict[str, Counter[str]] = {}
    for customer, before, now, currency in months:
        by_customer.setdefault(currency, Counter())[customer] += now - before
    for one in told(months):
        size = Money(minor=1, currency=one.currency).major
        expected = sorted((abs(minor) * size for minor in by_customer[one.currency].values() if minor), reverse=True)
        assert [abs(Decimal(change.difference)) for change in one.largest] == expected[:SHOWN]


def test_customers_are_counted_by_what_became_of_them() -> None:
    (changes,) = told(
        [("a", 100, 300, "USD"), ("b", 300, 100, "USD"), ("c", 0, 5, "USD"), ("d", 7, 0, "USD"), ("e", 4, 4, "USD")]
    )
    assert (changes.up, changes.down, changes.new, changes.gone, changes.same) == (1, 1, 1, 1, 1)
    assert [(one.customer_id, one.difference) for one in changes.largest] == [
        ("a", "2.00"), ("b", "-2.00"), ("d", "-0.07"), ("c", "0.05"),
    ]  # fmt: skip


def test_one_customer_s_subscriptions_are_one_change() -> None:
    (changes,) = told([("a", 100, 300, "USD"), ("a", 300, 100, "USD")])
    assert (changes.same, changes.largest) == (1, ())


def test_each_subscription_is_counted_under_one_head_with_its_reason() -> None:
    planning = Planning()
    asked = Assessment(automatic=False, policy_hash="h", reasons=(Reason(rule="over_threshold", text="Too much."),))
    nothing = "nothing to bill was used"
    for month in (
        a_month("s1", "a", an_intent("s1", 100, "USD"), assessment=Assessment(automatic=True, policy_hash="h")),
        a_month("s2", "a", an_intent("s2", 900, "USD"), assessment=asked, carries=True),
        a_month("s3", "b", Skipped("s3", "2026-10", nothing)),
        a_month("s4", "b", Skipped("s4", "2026-10", nothing)),
        a_month("s5", "b", BadInput("line_items", "they sum to too much")),
        a_month("s6", "c", an_intent("s6", 100, "USD"), standing=standing(250)),
        a_month("s7", "c", an_intent("s7", 100, "USD"), standing=standing(70, status=Status.CANCELLED)),
        a_month("s8", "c", an_intent("s8", 100, "USD"), standing=standing(70, motion=Motion.MILESTONE)),
        a_month("s9", "d", None, before=standing(40)),
    ):
        planning.add(month)
    assert planning.subscriptions == 8
    assert (planning.new.told().count, planning.new.told().amounts) == (2, {"USD": "10.00"})
    asks = planning.asks.told()
    assert (asks.count, asks.amounts, [one.text for one in asks.named]) == (1, {"USD": "9.00"}, ["Too much."])
    assert dict(planning.by_rule) == {"over_threshold": 1}
    assert (planning.standing.told().count, planning.standing.told().amounts) == (2, {"USD": "2.50"})
    assert [(one.reason, one.count, one.for_example) for one in planning.skipped()] == [(nothing, 2, "s3")]
    refused = [(one.subscription_id, one.text) for one in planning.refused.told().named]
    assert refused[0] == ("s5", "line_items: they sum to too much")
    assert refused[1][0] == "s8"
    assert "already used by motion 'milestone'" in refused[1][1]
    assert planning.steps == {Steps(carries=False, asks=False): 1, Steps(carries=True, asks=True): 1}
    (changes,) = planning.changes()
    assert (changes.before, changes.now) == ("0.40", "12.50")


def test_a_cancelled_or_rejected_month_before_is_no_month_to_compare_with() -> None:
    planning = Planning()
    for name, status in (("s1", Status.CANCELLED), ("s2", Status.REJECTED), ("s3", Status.BILLED)):
        planning.add(a_month(name, name, an_intent(name, 100, "USD"), before=standing(100, status=status)))
    (changes,) = planning.changes()
    assert (changes.before, changes.now, changes.new, changes.same) == ("1.00", "3.00", 2, 1)


def test_what_is_kept_of_many_is_a_list_of_fixed_length_that_counts_the_rest() -> None:
    planning = Planning()
    for number in range(1000):
        planning.add(a_month(f"s{number}", f"c{number:04}", an_intent(f"s{number}", 100 + number, "USD")))
    assert (planning.new.told().count, len(planning.new.told().named)) == (1000, SHOWN)
    (changes,) = planning.changes()
    assert (len(changes.largest), changes.others) == (SHOWN, 1000 - SHOWN)


@pytest.mark.parametrize(
    ("history", "kind"),
    [
        ("automatic", Steps(carries=False, asks=False)),
        ("carried_forward", Steps(carries=True, asks=False)),
        ("cancelled_awaiting_approval", Steps(carries=False, asks=True)),
    ],
)
def test_the_steps_that_are_counted_are_those_that_the_workflow_takes_until_it_waits(history: str, kind: Steps) -> None:
    events = json.loads((HISTORIES / f"{history}.json").read_text(encoding="utf-8"))["events"]
    found = [one["activityTaskScheduledEventAttributes"]["activityType"]["name"]
             for one in events if "activityTaskScheduledEventAttributes" in one]  # fmt: skip
    walked = found[: found.index("send_mail") + 1]
    assert steps_of(kind) == Counter(QUEUES[name] for name in walked)


def test_a_run_takes_as_long_as_the_system_that_is_through_last() -> None:
    invoices = {Steps(carries=False, asks=False): 900, Steps(carries=True, asks=True): 100}
    found = pace(invoices, {Queue.JUPITER: 10, Queue.MAIL: 2, Queue.CRM: 1})
    assert found == Pace(
        steps={"jupiter": 2000, "mail": 1000}, rates={"jupiter": 10, "mail": 2}, seconds=500, bound_by="mail"
    )
    assert pace(invoices, {Queue.JUPITER: 3}).seconds == 667
    assert pace(invoices, {}).seconds is None
    assert pace({}, {Queue.JUPITER: 10}).seconds is None


def test_a_time_is_said_in_words_with_what_it_is_bound_by() -> None:
    invoices = {Steps(carries=False, asks=False): 100_000}
    assert says(pace(invoices, {Queue.JUPITER: 2})) == (
        "1 d 03:46:40 at the least: 200,000 to jupiter and 100,000 to mail; jupiter takes 2 a second"
    )
    assert says(pace({}, {Queue.JUPITER: 2})) == "no time: there is nothing to call"
    assert span(59) == "00:00:59"
