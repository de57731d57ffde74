"""Plans to lines: a table of months worked out by hand, exact to the minor unit, and what holds for every plan."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import BadInput
from billing.intent import Intent, Motion
from billing.metering import UsageEvent, spelled, units
from billing.money import Money, decimals_of
from billing.motions import UsageTrigger, parse_trigger
from billing.plans import Charge, Subscription
from billing.pricing import slices
from billing.usage import Metered, Skipped, bill, overage

AT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
PERIOD = "2026-10"


def a_plan(*charges: dict[str, Any], **changes: Any) -> Subscription:
    body = {
        "id": "sub_1",
        "customer_id": "acme",
        "billing_group": "europe",
        "currency": "USD",
        "started_on": "2026-01-01",
        "charges": [{"meter": "api", **charge} for charge in charges],
    }
    return Subscription.model_validate(body | changes)


def billed(subscription: Subscription, *, period: str = PERIOD, **used: Metered) -> Intent:
    found = bill(subscription, period, used, AT)
    assert isinstance(found, Intent), found
    return found


def used(quantity: str, **more: Any) -> Metered:
    return Metered(used=Decimal(quantity), **more)


FLAT = {"model": "flat", "amount": "99.00"}
UNIT = {"model": "per_unit", "unit_price": "0.03"}
TIERS = [
    {"up_to": "1000", "unit_price": "0.05"},
    {"up_to": "5000", "unit_price": "0.03", "flat_fee": "10.00"},
    {"unit_price": "0.0125", "flat_fee": "25.00"},
]
GRADUATED = {"model": "graduated", "tiers": TIERS}
VOLUME = {"model": "volume", "tiers": TIERS}
YEN = [{"up_to": "100", "unit_price": "3"}, {"unit_price": "1.5"}]
DINAR = [{"up_to": "10", "unit_price": "0.1235"}, {"unit_price": "0.0005", "flat_fee": "0.125"}]

TABLE: list[tuple[str, str, dict[str, Any], str, str]] = [
    # what is shown, currency, charge, used, total
    ("flat, nothing used", "USD", FLAT, "0", "99.00"),
    ("flat, whatever is used", "USD", FLAT, "123456", "99.00"),
    ("per unit", "USD", UNIT, "1250", "37.50"),
    ("per unit, half a cent goes up", "USD", {"model": "per_unit", "unit_price": "0.005"}, "1", "0.01"),
    (
        "per unit, just under half a cent goes down",
        "USD",
        {"model": "per_unit", "unit_price": "0.00499999"},
        "3",
        "0.01",
    ),
    (
        "per unit, finer than a cent: 12345 x 0.0004 = 4.938",
        "USD",
        {"model": "per_unit", "unit_price": "0.0004"},
        "12345",
        "4.94",
    ),
    ("per unit, parts of a unit: 2.333333 x 0.03 = 0.06999999", "USD", UNIT, "2.333333", "0.07"),
    ("per unit, included taken off first", "USD", UNIT | {"included": "1000"}, "1250", "7.50"),
    ("per unit, exactly the included ones and one more", "USD", UNIT | {"included": "1000"}, "1001", "0.03"),
    ("per unit, minimum over what was used", "USD", UNIT | {"minimum": "50.00"}, "1250", "50.00"),
    ("per unit, minimum with nothing used", "USD", UNIT | {"minimum": "50.00"}, "0", "50.00"),
    ("per unit, minimum just reached", "USD", UNIT | {"minimum": "37.50"}, "1250", "37.50"),
    ("per unit, minimum where all was included", "USD", UNIT | {"included": "2000", "minimum": "5.00"}, "1250", "5.00"),
    ("graduated, inside the first tier", "USD", GRADUATED, "999", "49.95"),
    ("graduated, exactly at up_to: the tier after it has not begun", "USD", GRADUATED, "1000", "50.00"),
    ("graduated, one over: its flat fee is owed", "USD", GRADUATED, "1001", "60.03"),
    ("graduated, a millionth over", "USD", GRADUATED, "1000.000001", "60.00"),
    ("graduated, exactly at the second up_to: 50 + 120 + 10", "USD", GRADUATED, "5000", "180.00"),
    ("graduated, into the last tier: 180 + 25 + 2000 x 0.0125", "USD", GRADUATED, "7000", "230.00"),
    ("graduated, each tier is rounded once: 1 x 0.0125 is 0.01", "USD", GRADUATED, "5001", "205.01"),
    (
        "graduated, included come off before the tiers: 1000 billable",
        "USD",
        GRADUATED | {"included": "500"},
        "1500",
        "50.00",
    ),
    ("volume, inside the first tier", "USD", VOLUME, "999", "49.95"),
    ("volume, exactly at up_to", "USD", VOLUME, "1000", "50.00"),
    ("volume, one over: all at the next price, 1001 x 0.03 + 10", "USD", VOLUME, "1001", "40.03"),
    ("volume, exactly at the second up_to", "USD", VOLUME, "5000", "160.00"),
    ("volume, one over: 5001 x 0.0125 = 62.5125, + 25", "USD", VOLUME, "5001", "87.51"),
    ("volume, included come off before the tier is looked up", "USD", VOLUME | {"included": "1"}, "1001", "50.00"),
    ("volume, nothing used owes no flat fee", "USD", VOLUME | {"minimum": "1.00"}, "0", "1.00"),
    ("yen, graduated: 100 x 3 + 1 x 1.5 = 1.5, half up", "JPY", {"model": "graduated", "tiers": YEN}, "101", "302"),
    ("yen, volume: 101 x 1.5 = 151.5, half up", "JPY", {"model": "volume", "tiers": YEN}, "101", "152"),
    ("yen, per unit: 333 x 0.4 = 133.2", "JPY", {"model": "per_unit", "unit_price": "0.4"}, "333", "133"),
    ("yen, flat", "JPY", {"model": "flat", "amount": "9800"}, "0", "9800"),
    ("yen, minimum", "JPY", {"model": "per_unit", "unit_price": "0.4", "minimum": "500"}, "333", "500"),
    ("dinar, exactly at up_to: 10 x 0.1235", "KWD", {"model": "graduated", "tiers": DINAR}, "10", "1.235"),
    ("dinar, 1.235 + 1 x 0.0005 half up + 0.125", "KWD", {"model": "graduated", "tiers": DINAR}, "11", "1.361"),
    ("dinar, volume: 11 x 0.0005 = 0.0055 half up, + 0.125", "KWD", {"model": "volume", "tiers": DINAR}, "11", "0.131"),
    (
        "dinar, parts of a unit: 2.5 x 0.1235 = 0.30875",
        "KWD",
        {"model": "per_unit", "unit_price": "0.1235"},
        "2.5",
        "0.309",
    ),
    ("dinar, minimum", "KWD", {"model": "per_unit", "unit_price": "0.1235", "minimum": "0.500"}, "2.5", "0.500"),
]


@pytest.mark.parametrize(
    ("currency", "charge", "quantity", "total"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_a_month_comes_to_what_was_worked_out_by_hand(
    currency: str, charge: dict[str, Any], quantity: str, total: str
) -> None:
    intent = billed(a_plan(charge, currency=currency), api=used(quantity))
    assert intent.commercial.total == Money.parse(total, currency)


@pytest.mark.parametrize(("currency", "charge", "quantity"), [row[1:4] for row in TABLE], ids=[r[0] for r in TABLE])
def test_what_the_run_builds_is_what_the_same_trigger_by_hand_would_be(
    currency: str, charge: dict[str, Any], quantity: str
) -> None:
    intent = billed(a_plan(charge, currency=currency), api=used(quantity))
    body = {
        "event_id": "by hand", "occurred_at": AT.isoformat(), "customer_id": "acme", "currency": currency,
        "subscription_id": "sub_1", "period": PERIOD,
        "line_items": [line.model_dump(mode="json") for line in intent.commercial.lines],
    }  # fmt: skip
    by_hand = parse_trigger(Motion.USAGE, body)
    assert (by_hand.key, by_hand.payload_hash) == (intent.key, intent.payload_hash)
    assert intent.key == "invoice:sub_1:2026-10"
    assert UsageTrigger.model_validate(body)


def words_of(intent: Intent) -> list[str]:
    return [f"{line.quantity} x {line.unit_price}: {line.description}" for line in intent.commercial.lines]


def test_lines_say_in_words_what_was_metered() -> None:
    charge = GRADUATED | {"description": "API calls", "included": "500", "minimum": "900.00"}
    late = {"2026-09": Decimal(20), "2026-08": Decimal("1.5")}
    intent = billed(a_plan(FLAT | {"meter": "Platform"}, charge), api=used("7500.5", late=late))
    metering = "API calls, 2026-10: 7,500.5 used (of them 1.5 in 2026-08; 20 in 2026-09, told late), 500 included"
    assert words_of(intent) == [
        "1 x 99.00: Platform, 2026-10",
        f"1000 x 0.05: {metering}, units over 0 up to 1,000",
        f"4000 x 0.03: {metering}, units over 1,000 up to 5,000",
        f"1 x 10.00: {metering}, units over 1,000 up to 5,000, flat fee",
        f"1 x 25.01: {metering}, units over 5,000 up to 7,000.5 (2000.5 x 0.0125 USD)",
        f"1 x 25.00: {metering}, units over 5,000 up to 7,000.5, flat fee",
        f"1 x 669.99: {metering}, up to the minimum of 900.00 USD",
    ]


def test_volume_says_at_whose_price() -> None:
    assert words_of(billed(a_plan(VOLUME), api=used("1001"))) == [
        "1001 x 0.03: api, 2026-10: 1,001 used, all at the price up to 5,000",
        "1 x 10.00: api, 2026-10: 1,001 used, all at the price up to 5,000, flat fee",
    ]


NOTHING = [
    ("nothing used", UNIT, Metered(), "nothing to bill was used"),
    ("all of it included", UNIT | {"included": "100"}, used("100"), "nothing to bill was used"),
    ("less than half a cent", {"model": "per_unit", "unit_price": "0.0001"}, used("49"), "comes to nothing"),
    ("free", {"model": "per_unit", "unit_price": "0"}, used("7"), "comes to nothing"),
    ("a flat amount of nothing", {"model": "flat", "amount": "0"}, used("7"), "comes to nothing"),
]


@pytest.mark.parametrize(("charge", "metered", "reason"), [row[1:] for row in NOTHING], ids=[row[0] for row in NOTHING])
def test_a_month_that_comes_to_nothing_makes_no_invoice_and_says_why(
    charge: dict[str, Any], metered: Metered, reason: str
) -> None:
    found = bill(a_plan(charge), PERIOD, {"api": metered}, AT)
    assert isinstance(found, Skipped)
    assert (found.subscription_id, found.period) == ("sub_1", PERIOD)
    assert reason in found.reason


def test_after_its_end_a_subscription_bills_what_came_late_and_neither_amounts_nor_minimums() -> None:
    plan = a_plan(
        FLAT | {"meter": "platform"}, UNIT | {"minimum": "50.00"}, started_on="2026-01-01", ended_on="2026-09-30"
    )
    found = billed(plan, api=used("100", late={"2026-09": Decimal(100)}))
    assert found.commercial.total == Money.parse("3.00", "USD")
    nothing = bill(plan, PERIOD, {}, AT)
    assert isinstance(nothing, Skipped)
    assert "no day in this month" in nothing.reason


SPANS = [
    ("2026-10-31", None, True),
    ("2026-11-01", None, False),
    ("2025-01-01", "2026-10-01", True),
    ("2025-01-01", "2026-09-30", False),
    ("2026-10-15", "2026-10-15", True),
]


@pytest.mark.parametrize(("started_on", "ended_on", "is_billed"), SPANS)
def test_one_day_in_the_month_is_enough(started_on: str, ended_on: str | None, is_billed: bool) -> None:
    found = bill(a_plan(FLAT, started_on=started_on, ended_on=ended_on), PERIOD, {}, AT)
    assert isinstance(found, Intent) is is_billed


def test_the_time_of_the_run_is_no_part_of_what_is_billed() -> None:
    runs = [bill(a_plan(FLAT), PERIOD, {}, at) for at in (AT, datetime(2027, 1, 1, tzinfo=UTC))]
    assert len({run.payload_hash for run in runs if isinstance(run, Intent)}) == 1


def test_a_month_too_dear_to_be_billed_is_refused_and_not_cut() -> None:
    with pytest.raises(BadInput, match="minor units"):
        bill(a_plan({"model": "per_unit", "unit_price": "999999"}), PERIOD, {"api": used("9000000000000")}, AT)


def test_the_largest_plan_comes_to_no_more_lines_than_an_invoice_takes() -> None:
    tiers = [{"up_to": str(n), "unit_price": "1", "flat_fee": "1"} for n in range(1, 12)]
    charge = {"model": "graduated", "tiers": [*tiers, {"unit_price": "1", "flat_fee": "1"}], "minimum": "9999999"}
    plan = a_plan(*({**charge, "meter": f"m{n}"} for n in range(20)))
    metered: dict[str, Any] = {f"m{n}": used("100") for n in range(20)}
    intent = billed(plan, **metered)
    assert len(intent.commercial.lines) == 20 * 25 == 500


# What holds for every plan

prices = st.decimals(min_value=0, max_value=1000, places=6).map(lambda price: f"{price:f}")
amounts = st.decimals(min_value=0, max_value=1000, places=2).map(lambda amount: f"{amount:f}")
quantities = st.decimals(min_value=0, max_value=10**7, places=6)
ends = st.lists(st.integers(min_value=1, max_value=10**6), unique=True, max_size=5).map(sorted)


@st.composite
def tier_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    bounds: Sequence[int | None] = [*draw(ends), None]
    return [
        {"unit_price": draw(prices), "flat_fee": draw(amounts)} | ({} if end is None else {"up_to": str(end)})
        for end in bounds
    ]


graduated = st.builds(lambda tiers: a_plan({"model": "graduated", "tiers": tiers}), tier_lists())


def exact_cost(charge: Charge, low: Decimal, high: Decimal) -> Decimal:
    """In major units, before any rounding."""
    found = slices(charge, low, high)
    fees = sum((one.tier.fee for one in found if one.begins_tier), Decimal(0))
    return sum((one.quantity * Decimal(one.tier.unit_price) for one in found), fees)


def total_of(plan: Subscription, quantity: Decimal) -> int:
    found = bill(plan, PERIOD, {"api": Metered(used=quantity)}, AT)
    return found.commercial.total.minor if isinstance(found, Intent) else 0


@given(graduated, quantities, quantities)
def test_graduated_units_cost_the_same_in_one_month_or_cut_in_two(
    plan: Subscription, one: Decimal, other: Decimal
) -> None:
    charge, cut, whole = plan.charges[0], min(one, other), max(one, other)
    in_two = exact_cost(charge, Decimal(0), cut) + exact_cost(charge, cut, whole)
    assert in_two == exact_cost(charge, Decimal(0), whole)


@given(graduated, quantities, quantities)
def test_more_units_never_cost_less(plan: Subscription, one: Decimal, other: Decimal) -> None:
    assert total_of(plan, min(one, other)) <= total_of(plan, max(one, other))


@given(graduated, quantities)
def test_tiers_cover_every_unit_once(plan: Subscription, quantity: Decimal) -> None:
    found = slices(plan.charges[0], Decimal(0), quantity)
    assert sum((one.quantity for one in found), Decimal(0)) == quantity
    assert [one.low for one in found[1:]] == [one.high for one in found[:-1]]


@given(graduated, quantities)
def test_a_line_is_rounded_once_so_the_total_is_near_the_exact_cost(plan: Subscription, quantity: Decimal) -> None:
    exact = exact_cost(plan.charges[0], Decimal(0), quantity).scaleb(decimals_of("USD"))
    lines = len(slices(plan.charges[0], Decimal(0), quantity))
    assert abs(total_of(plan, quantity) - exact) <= Decimal("0.5") * lines


PER_UNIT = st.builds(
    lambda price, included: a_plan(
        {"model": "per_unit", "unit_price": price, "included": str(included), "overage": "invoice"}
    ),
    prices,
    st.integers(min_value=0, max_value=1000),
)


@given(PER_UNIT, quantities, quantities)
def test_overage_and_month_together_bill_every_unit_over_the_included_ones_once(
    plan: Subscription, first: Decimal, more: Decimal
) -> None:
    charge = plan.charges[0]
    over, all_of_it = max(Decimal(0), first - charge.free), first + more
    by_itself = overage(plan, charge, PERIOD, over, AT)
    as_overage = over if by_itself else Decimal(0)
    month = bill(plan, PERIOD, {"api": Metered(used=all_of_it, as_overage=as_overage)}, AT)
    intents = [one for one in (by_itself, month) if isinstance(one, Intent)]
    exact = exact_cost(charge, Decimal(0), max(Decimal(0), all_of_it - charge.free)).scaleb(2)
    assert abs(sum(one.commercial.total.minor for one in intents) - exact) <= 1


def test_units_billed_as_overage_are_not_billed_again_and_count_for_the_minimum() -> None:
    plan = a_plan(GRADUATED | {"included": "100", "minimum": "60.00", "overage": "invoice"})
    by_itself = overage(plan, plan.charges[0], PERIOD, Decimal(400), AT)
    assert by_itself is not None
    assert words_of(by_itself) == [
        "400 x 0.05: api, overage in 2026-10: 400 over the 100 included, units over 0 up to 400"
    ]
    assert (by_itself.key, by_itself.motion) == ("invoice:sub_1:overage:2026-10:api", Motion.OVERAGE)
    month = billed(plan, api=used("900", as_overage=Decimal(400)))
    metering = "api, 2026-10: 900 used, 100 included, 400 billed as overage"
    assert words_of(month) == [
        f"400 x 0.05: {metering}, units over 400 up to 800",
        f"1 x 20.00: {metering}, up to the minimum of 60.00 USD",
    ]


def test_a_tier_s_flat_fee_is_owed_by_whoever_bills_its_first_unit() -> None:
    plan = a_plan(GRADUATED | {"included": "0", "overage": "invoice"})
    by_itself = overage(plan, plan.charges[0], PERIOD, Decimal(1001), AT)
    assert by_itself is not None
    assert by_itself.commercial.total == Money.parse("60.03", "USD")
    assert billed(plan, api=used("1002", as_overage=Decimal(1001))).commercial.total == Money.parse("0.03", "USD")


def test_an_overage_that_comes_to_nothing_is_none() -> None:
    plan = a_plan({"model": "per_unit", "unit_price": "0.0001", "included": "0", "overage": "invoice"})
    assert overage(plan, plan.charges[0], PERIOD, Decimal(49), AT) is None
    assert overage(plan, plan.charges[0], PERIOD, Decimal(50), AT) is not None


# Quantities


@given(st.decimals(min_value=0, max_value=10**12, places=6))
def test_a_quantity_is_stored_as_a_whole_number_and_comes_back(quantity: Decimal) -> None:
    event = an_event(quantity=f"{quantity:f}")
    assert units(event.stored_quantity) == quantity


def an_event(**changes: Any) -> UsageEvent:
    body = {"event_id": "e1", "subscription_id": "sub_1", "meter": "api", "quantity": "1", "at": "2026-10-01T00:00:00Z"}
    return UsageEvent.of(body | changes)


REFUSED = [
    ("quantity", "1.0000001", "more than 6 decimals"),
    ("quantity", "-1", "negative"),
    ("quantity", "1e3", "no plain decimal"),
    ("quantity", "1000000000001", "more than one event holds"),
    ("quantity", 5, "only text is exact"),
    ("at", "2026-10-01T00:00:00", "without a zone"),
    ("at", 1790000000, "RFC 3339"),
    ("event_id", "", "it is empty"),
    ("event_id", "a\0b", "holds a NUL"),
    ("meter", "a:b", "is no id"),
    ("subscription_id", "", "is no id"),
    ("price", "1", "no such field"),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_an_event_that_cannot_be_used_is_refused_by_field(name: str, value: object, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        an_event(**{name: value})
    assert refused.value.field == name
    assert words in f"{refused.value.cause}; {refused.value.next_step}"
    assert refused.value.next_step


def test_quantities_are_spelled_for_people() -> None:
    assert [spelled(Decimal(text)) for text in ("12500.50", "0", "1000000", "0.000001")] == [
        "12,500.5", "0", "1,000,000", "0.000001",
    ]  # fmt: skip
