"""Triggers: each motion's body becomes its intent, and every refusal names the field as the caller spelled it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import BadInput
from billing.intent import DiscountType, Motion
from billing.money import decimals_of
from billing.motions import TRIGGERS, PatchBody, parse_trigger

COMMON = {
    "event_id": "evt_1",
    "occurred_at": "2026-10-01T09:30:00+02:00",
    "customer_id": "acme",
    "currency": "USD",
}
LINES = [{"description": "Design", "quantity": "2", "unit_price": "600.00"}]
BODIES: dict[Motion, dict[str, Any]] = {
    Motion.MILESTONE: {"project_id": "p1", "milestone_id": "m1", "description": "Go-live", "amount": "1250.00"},
    Motion.PROJECT: {"project_id": "p1", "line_items": LINES},
    Motion.QUOTE: {"quote_id": "q1", "deal_id": "d1", "line_items": LINES},
    Motion.OVERAGE: {
        "subscription_id": "s1",
        "period": "2026-10",
        "meter": "api_calls",
        "quantity": "125000",
        "unit_price": "0.0004",
    },
    Motion.USAGE: {"subscription_id": "s1", "period": "2026-10", "line_items": LINES},
}
KEYS = {
    Motion.MILESTONE: ("invoice:p1:m1", "p1"),
    Motion.PROJECT: ("invoice:p1:completed", "p1"),
    Motion.QUOTE: ("invoice:q1", "d1"),
    Motion.OVERAGE: ("invoice:s1:overage:2026-10:api_calls", "s1"),
    Motion.USAGE: ("invoice:s1:2026-10", "s1"),
}
MOTIONS = sorted(BODIES)


def refused(motion: Motion, **changes: Any) -> BadInput:
    with pytest.raises(BadInput) as refusal:
        parse_trigger(motion, COMMON | BODIES[motion] | changes)
    return refusal.value


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_trigger_becomes_an_intent_with_its_motion_s_key(motion: Motion) -> None:
    intent = parse_trigger(motion, COMMON | BODIES[motion], triggered_by="pm-tool")
    assert (intent.key, intent.source.scope) == KEYS[motion]
    assert intent.motion is motion
    assert intent.source.triggered_by == "pm-tool"
    assert intent.commercial.payment_terms == "net_30"


def test_every_motion_but_the_manual_one_has_a_trigger() -> None:
    assert set(TRIGGERS) == set(Motion) - {Motion.MANUAL}
    with pytest.raises(BadInput, match="manual"):
        parse_trigger(Motion.MANUAL, {})


@pytest.mark.parametrize(("motion", "minor"), [("milestone", 125000), ("project", 120000), ("overage", 5000)])
def test_the_total_is_what_the_trigger_says(motion: str, minor: int) -> None:
    assert parse_trigger(Motion(motion), COMMON | BODIES[Motion(motion)]).commercial.total.minor == minor


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer_id", ""),
        ("customer_id", "a:b"),
        ("customer_id", 7),
        ("currency", "usd"),
        ("currency", "XAU"),
        ("currency", None),
        ("event_id", ""),
        ("event_id", "a\0"),
        ("occurred_at", "2026-10-01T09:30:00"),
        ("occurred_at", "yesterday"),
        ("occurred_at", 1790000000),
        ("occurred_at", "1790000000"),
        ("payment_terms", "net_0"),
        ("payment_terms", "net_1000"),
        ("payment_terms", "NET 30"),
        ("payment_terms", ""),
        ("due_date", "2026-02-30"),
        ("due_date", 20000),
        ("deal_id", "d 1"),
        ("surprise", 1),
    ],
)
def test_a_bad_common_field_is_refused_by_its_name(motion: Motion, field: str, value: object) -> None:
    assert refused(motion, **{field: value}).field == field


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_missing_field_is_refused_by_its_name(motion: Motion) -> None:
    whole = COMMON | BODIES[motion]
    for field in whole.keys() - {"deal_id"}:
        with pytest.raises(BadInput) as refusal:
            parse_trigger(motion, {name: value for name, value in whole.items() if name != field})
        assert refusal.value.field == field


AMOUNTS = {
    Motion.MILESTONE: "amount",
    Motion.PROJECT: "line_items.0.unit_price",
    Motion.QUOTE: "line_items.0.unit_price",
    Motion.OVERAGE: "unit_price",
    Motion.USAGE: "line_items.0.unit_price",
}


def with_amount(motion: Motion, value: object, quantity: object = "1") -> dict[str, Any]:
    if motion is Motion.MILESTONE:
        return {"amount": value}
    if motion is Motion.OVERAGE:
        return {"unit_price": value, "quantity": quantity}
    return {"line_items": [{"description": "x", "quantity": quantity, "unit_price": value}]}


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("value", ["-1", "1,000.00", "1e3", "", "abc", "1.005", "NaN", "9" * 20, None])
def test_an_amount_that_is_none_is_refused_by_its_name(motion: Motion, value: object) -> None:
    assert refused(motion, **with_amount(motion, value)).field == AMOUNTS[motion]


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("number", [1250, 1250.5, 0.1])
def test_an_amount_sent_as_a_json_number_is_refused_by_its_name(motion: Motion, number: float) -> None:
    refusal = refused(motion, **with_amount(motion, number))
    assert refusal.field == AMOUNTS[motion]
    assert "string" in refusal.next_step


@pytest.mark.parametrize("quantity", ["0", "-1", "1e3", "", 2, 2.5])
@pytest.mark.parametrize("motion", [Motion.PROJECT, Motion.OVERAGE])
def test_a_quantity_that_is_none_is_refused_by_its_name(motion: Motion, quantity: object) -> None:
    field = "quantity" if motion is Motion.OVERAGE else "line_items.0.quantity"
    assert refused(motion, **with_amount(motion, "1.00", quantity)).field == field


@pytest.mark.parametrize(
    ("discount", "field"),
    [
        ({"type": "percent", "value": 10}, "discount.value"),
        ({"type": "percent", "value": "0"}, "discount.value"),
        ({"type": "percent", "value": "100.1"}, "discount.value"),
        ({"type": "flat", "value": "-1"}, "discount.value"),
        ({"type": "flat", "value": "1.005"}, "discount.value"),
        ({"type": "flat", "value": "999999.00"}, "discount.value"),
        ({"type": "rebate", "value": "1"}, "discount.type"),
        ({"type": "flat"}, "discount.value"),
    ],
)
@pytest.mark.parametrize("motion", MOTIONS)
def test_a_bad_discount_is_refused_by_its_name(motion: Motion, discount: dict[str, Any], field: str) -> None:
    assert refused(motion, discount=discount).field == field


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "100.5"), ("USD", "1.234"), ("KWD", "1.2345")])
def test_more_decimals_than_the_currency_has_are_refused(currency: str, amount: str) -> None:
    assert refused(Motion.MILESTONE, currency=currency, amount=amount).field == "amount"


@pytest.mark.parametrize("name", ["completed", "overage"])
def test_a_milestone_of_a_reserved_name_is_refused(name: str) -> None:
    assert refused(Motion.MILESTONE, milestone_id=name).field == "milestone_id"


@pytest.mark.parametrize("motion", MOTIONS)
def test_what_comes_to_nothing_is_refused(motion: Motion) -> None:
    refusal = refused(motion, **with_amount(motion, "0.00"))
    assert refusal.field in {"amount", "unit_price", "line_items"}
    assert "nothing to bill" in refusal.cause


@pytest.mark.parametrize("motion", [Motion.PROJECT, Motion.QUOTE, Motion.USAGE])
def test_empty_lines_are_refused(motion: Motion) -> None:
    assert refused(motion, line_items=[]).field == "line_items"


def test_the_second_line_is_named_as_the_second() -> None:
    bad = [*LINES, {"description": "x", "quantity": "1", "unit_price": "oops"}]
    assert refused(Motion.QUOTE, line_items=bad).field == "line_items.1.unit_price"
    assert refused(Motion.QUOTE, line_items=[*LINES, {"quantity": "1", "unit_price": "1"}]).field == (
        "line_items.1.description"
    )


@pytest.mark.parametrize("period", ["2026-13", "2026", "\u0662026-10"])
@pytest.mark.parametrize("motion", [Motion.OVERAGE, Motion.USAGE])
def test_a_bad_period_is_refused(motion: Motion, period: str) -> None:
    assert refused(motion, period=period).field == "period"


def test_a_price_finer_than_a_cent_is_taken_for_what_is_metered_and_refused_for_one_piece() -> None:
    metered = parse_trigger(Motion.OVERAGE, COMMON | BODIES[Motion.OVERAGE])
    assert metered.commercial.lines[0].unit_price == Decimal("0.0004")
    assert refused(Motion.OVERAGE, quantity="1").field == "unit_price"


@given(st.integers(1, 10**12), st.sampled_from(["JPY", "USD", "KWD", "UYW"]))
def test_a_milestone_bills_its_amount_to_the_minor_unit(minor: int, currency: str) -> None:
    amount = f"{Decimal(minor).scaleb(-decimals_of(currency)):f}"
    body = COMMON | BODIES[Motion.MILESTONE] | {"currency": currency, "amount": amount}
    assert parse_trigger(Motion.MILESTONE, body).commercial.total.minor == minor


def test_the_same_trigger_sent_again_by_another_hand_is_the_same_payload() -> None:
    body = COMMON | BODIES[Motion.QUOTE]
    again = body | {"event_id": "evt_2", "occurred_at": "2026-10-02T00:00:00Z"}
    first, second = parse_trigger(Motion.QUOTE, body, "a"), parse_trigger(Motion.QUOTE, again, "b")
    assert first.payload_hash == second.payload_hash


def test_an_edit_is_spelled_as_a_trigger_is() -> None:
    body = {"line_items": LINES, "discount": {"type": "percent", "value": "5"}, "payment_terms": "net_14"}
    patch = PatchBody.model_validate(body).to_patch("USD")
    assert patch.lines is not None
    assert patch.lines[0].unit_price == Decimal("600.00")
    assert patch.discount is not None
    assert patch.discount.type is DiscountType.PERCENT
    assert PatchBody(remove_discount=True).to_patch("USD").remove_discount
    with pytest.raises(BadInput) as refusal:
        PatchBody(line_items=[]).to_patch("USD")
    assert refusal.value.field == "line_items"
