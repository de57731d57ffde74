"""The intent: its sums hold, and its hashes move with what is billed and with nothing else."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.decisions import Approve
from billing.errors import BadInput
from billing.intent import Commercial, Discount, DiscountType, Intent, Line, Motion, Patch, Source

lines = st.builds(
    Line,
    description=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
    quantity=st.decimals("0.0001", 10**4, places=4),
    unit_price=st.decimals(0, 10**5, places=4),
)
percents = st.builds(Discount, type=st.just(DiscountType.PERCENT), value=st.decimals("0.01", 100, places=2))
flats = st.builds(Discount, type=st.just(DiscountType.FLAT), value=st.decimals(1, 10**6, places=0))
commercials = st.builds(
    Commercial,
    currency=st.sampled_from(["JPY", "USD", "KWD", "UYW"]),
    lines=st.lists(lines, min_size=1, max_size=6).map(tuple),
    discount=st.none() | percents | flats,
    payment_terms=st.sampled_from(["due_on_receipt", "net_1", "net_30", "net_999"]),
    due_date=st.none() | st.dates(date(2026, 1, 1), date(2030, 1, 1)),
)

PLAIN = Commercial(
    currency="USD",
    lines=(Line(description="Design", quantity=Decimal(2), unit_price=Decimal("600.00")),),
    discount=Discount(type=DiscountType.FLAT, value=Decimal("100.00")),
    payment_terms="net_30",
    due_date=date(2026, 12, 1),
)


def intent(**changes: Any) -> Intent:
    source = Source(event_id="evt_1", occurred_at=datetime(2026, 10, 1, tzinfo=UTC), scope="project_1")
    fields: dict[str, Any] = {
        "key": "invoice:project_1:milestone_1",
        "motion": Motion.MILESTONE,
        "customer_id": "acme",
        "commercial": PLAIN,
        "source": source,
        "deal_id": "deal_1",
    }
    return Intent(**(fields | changes))


@given(commercials)
def test_lines_less_discount_are_the_total_and_never_below_nothing(commercial: Commercial) -> None:
    if commercial.discount_minor > commercial.subtotal_minor:
        with pytest.raises(BadInput, match=r"discount\.value"):
            commercial.check()
        return
    assert commercial.check().total.minor == commercial.subtotal_minor - commercial.discount_minor
    assert 0 <= commercial.total.minor <= commercial.subtotal_minor


@given(commercials)
def test_content_comes_back_from_the_wire_with_the_same_revision(commercial: Commercial) -> None:
    again = Commercial.model_validate_json(commercial.model_dump_json())
    assert again == commercial
    assert again.revision(1) == commercial.revision(1)


@given(commercials, commercials, st.integers(1, 5), st.integers(1, 5))
def test_a_revision_names_one_content_of_one_version(a: Commercial, b: Commercial, m: int, n: int) -> None:
    assert (a.revision(m) == b.revision(n)) == ((a, m) == (b, n))


ANOTHER = {
    "currency": "EUR",
    "lines": (*PLAIN.lines, *PLAIN.lines),
    "discount": None,
    "payment_terms": "net_31",
    "due_date": date(2026, 12, 2),
}


@pytest.mark.parametrize("field", Commercial.model_fields)
def test_any_commercial_change_makes_another_revision_and_another_payload(field: str) -> None:
    changed = PLAIN.model_copy(update={field: ANOTHER[field]})
    assert changed.revision(1) != PLAIN.revision(1)
    assert intent(commercial=changed).payload_hash != intent().payload_hash


@pytest.mark.parametrize(
    "change", [{"description": "Designs"}, {"quantity": Decimal("2.0001")}, {"unit_price": Decimal("600.01")}]
)
def test_any_part_of_a_line_makes_another_revision(change: dict[str, Any]) -> None:
    line = PLAIN.lines[0].model_copy(update=change)
    assert PLAIN.model_copy(update={"lines": (line,)}).revision(1) != PLAIN.revision(1)


@pytest.mark.parametrize("change", [{"type": DiscountType.PERCENT}, {"value": Decimal("100.01")}])
def test_any_part_of_a_discount_makes_another_revision(change: dict[str, Any]) -> None:
    assert PLAIN.discount is not None
    discount = PLAIN.discount.model_copy(update=change)
    assert PLAIN.model_copy(update={"discount": discount}).revision(1) != PLAIN.revision(1)


def test_lines_in_another_order_are_another_revision() -> None:
    first, second = PLAIN.lines[0], PLAIN.lines[0].model_copy(update={"description": "Build"})
    a, b = (PLAIN.model_copy(update={"lines": pair}) for pair in ((first, second), (second, first)))
    assert a.revision(1) != b.revision(1)


def test_the_same_number_spelled_otherwise_is_the_same_payload() -> None:
    line = Line(description="Design", quantity=Decimal("2.000"), unit_price=Decimal("6E+2"))
    same = PLAIN.model_copy(update={"lines": (line,)})
    assert same.revision(1) == PLAIN.revision(1)
    assert intent(commercial=same).payload_hash == intent().payload_hash


@given(st.text(max_size=20), st.datetimes(timezones=st.just(UTC)), st.text(max_size=20), st.text(max_size=20))
def test_a_payload_is_the_same_however_and_whenever_the_source_told_us(
    event_id: str, at: datetime, scope: str, who: str
) -> None:
    source = Source(event_id=event_id, occurred_at=at, scope=scope, triggered_by=who)
    assert intent(source=source).payload_hash == intent().payload_hash


@pytest.mark.parametrize(
    "change", [{"customer_id": "other"}, {"deal_id": None}, {"motion": Motion.QUOTE}, {"key": "invoice:q"}]
)
def test_anything_else_that_is_billed_makes_another_payload(change: dict[str, Any]) -> None:
    assert intent(**change).payload_hash != intent().payload_hash


@given(commercials, commercials)
def test_a_patch_changes_what_it_brings_and_nothing_else(base: Commercial, other: Commercial) -> None:
    patch = Patch(payment_terms=other.payment_terms, due_date=other.due_date)
    assume(base.total.minor >= 0)
    patched = base.patched(patch)
    assert patched.payment_terms == other.payment_terms
    assert patched.due_date == (other.due_date or base.due_date)
    assert (patched.currency, patched.lines, patched.discount) == (base.currency, base.lines, base.discount)


def test_no_patch_and_an_empty_one_leave_the_revision_as_it_is() -> None:
    assert PLAIN.patched(None) == PLAIN
    assert PLAIN.patched(Patch()).revision(1) == PLAIN.revision(1)


def small_line(price: str = "40.00") -> tuple[Line, ...]:
    return (Line(description="Less", quantity=Decimal(1), unit_price=Decimal(price)),)


def test_lines_that_shrink_under_a_standing_discount_are_refused_and_told_the_ways_out() -> None:
    with pytest.raises(BadInput, match=r"100\.00 USD is more than the lines, which sum to 40\.00 USD") as refusal:
        PLAIN.patched(Patch(lines=small_line()))
    assert refusal.value.field == "discount.value"
    assert "remove_discount" in refusal.value.next_step


def test_lines_may_shrink_when_the_same_patch_lowers_or_takes_the_discount() -> None:
    lower = Discount(type=DiscountType.FLAT, value=Decimal("10.00"))
    assert PLAIN.patched(Patch(lines=small_line(), discount=lower)).total.minor == 3000
    assert PLAIN.patched(Patch(lines=small_line(), remove_discount=True)).total.minor == 4000


def test_a_patch_cannot_take_a_discount_away_and_bring_one() -> None:
    with pytest.raises(BadInput) as refusal:
        PLAIN.patched(Patch(discount=PLAIN.discount, remove_discount=True))
    assert refusal.value.field == "remove_discount"


def test_a_percentage_follows_the_lines_that_a_patch_brings() -> None:
    tenth = PLAIN.model_copy(update={"discount": Discount(type=DiscountType.PERCENT, value=Decimal(10))})
    assert tenth.total.minor == 108000
    assert tenth.patched(Patch(lines=small_line("0.05"))).discount_minor == 1


def test_a_flat_discount_finer_than_the_currency_is_refused() -> None:
    with pytest.raises(BadInput, match="decimals of USD") as refusal:
        PLAIN.patched(Patch(discount=Discount(type=DiscountType.FLAT, value=Decimal("0.005"))))
    assert refusal.value.field == "discount.value"


def test_no_lines_and_sums_beyond_all_reason_are_refused() -> None:
    for bad in ((), small_line("999999999999999")):
        with pytest.raises(BadInput) as refusal:
            PLAIN.patched(Patch(lines=bad))
        assert refusal.value.field == "line_items"


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ('{"lines": [{"description": "x", "quantity": 1, "unit_price": "5"}]}', "quantity"),
        ('{"lines": [{"description": "x", "quantity": "1", "unit_price": 0.1}]}', "unit_price"),
        ('{"lines": [{"description": "x", "quantity": "0", "unit_price": "5"}]}', "quantity"),
        ('{"lines": [{"description": "x", "quantity": "1", "unit_price": "-5"}]}', "unit_price"),
        ('{"discount": {"type": "flat", "value": 5}}', "value"),
        ('{"discount": {"type": "flat", "value": "-5"}}', "value"),
        ('{"discount": {"type": "percent", "value": "100.01"}}', "percent"),
        ('{"payment_terms": "net_0"}', "payment_terms"),
        ('{"currency": "EUR"}', "currency"),
    ],
)
def test_an_edit_sent_by_signal_is_held_to_the_same_rules_as_a_trigger(patch: str, field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Approve.model_validate_json(f'{{"approver": "dana", "patch": {patch}}}')
