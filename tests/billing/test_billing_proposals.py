"""A proposal is a stranger's JSON: it never raises, no amount changes on its way, and what cannot be taken says why."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.errors import BadInput
from billing.intent import Commercial, Discount, DiscountType, Line, Patch
from billing.money import MAX_MINOR, decimals_of
from billing.proposals import Part, Proposal, accepted, is_in_part, read
from billing.provider import as_sent, to_wire
from tests.billing.contents import content, line

CURRENCIES = ("USD", "JPY", "KWD")


def item(description: Any = "Design", quantity: Any = 1, unit_price_cents: Any = 10000) -> dict[str, Any]:
    return {"description": description, "quantity": quantity, "unit_price_cents": unit_price_cents}


def causes(proposal: Proposal) -> dict[str, str]:
    return {one.part: one.cause for one in proposal.refused}


quantities = st.decimals("0.001", 9_999_999, places=3)
wire_items = st.builds(
    item,
    description=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30),
    quantity=st.integers(1, 10_000) | quantities.map(float),
    unit_price_cents=st.integers(0, 10**8),
)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
near_proposals = st.fixed_dictionaries(
    {},
    optional={
        "line_items": any_json | st.lists(wire_items | any_json, max_size=4),
        "discount": any_json
        | st.fixed_dictionaries({"type": st.sampled_from(["percent", "flat"]), "value": any_json})
        | st.fixed_dictionaries({"type": st.just("flat"), "value_cents": any_json | st.integers(0, 10**9)}),
        "currency": any_json | st.sampled_from(CURRENCIES),
        "payment_terms": any_json | st.sampled_from(["net_45", "due_on_receipt", "net_0"]),
        "due_date": any_json | st.dates().map(date.isoformat),
    },
)
contents = st.builds(
    lambda currency, prices, percent: Commercial(
        currency=currency,
        lines=tuple(line(f"Line {at}", "2", str(price)) for at, price in enumerate(prices)),
        discount=Discount(type=DiscountType.PERCENT, value=Decimal(percent)) if percent else None,
    ).check(),
    st.sampled_from(CURRENCIES),
    st.lists(st.integers(0, 10_000), min_size=1, max_size=3),
    st.integers(0, 100),
)


@given(proposed=any_json | near_proposals, present=contents)
def test_no_json_raises_and_what_is_read_holds_together(proposed: Any, present: Commercial) -> None:
    found = read(proposed, present)
    assert present.patched(found.patch).currency == present.currency
    assert not {one.part for one in found.refused} & set(found.parts)
    for part in found.parts:
        found.only([part])


@given(items=st.lists(wire_items, min_size=1, max_size=5), currency=st.sampled_from(CURRENCIES))
@example(items=[item(quantity=9_999_999.0, unit_price_cents=10**8)] * 2, currency="USD")
def test_accepting_all_proposed_lines_makes_exactly_the_proposed_total_or_says_that_it_is_too_much(
    items: list[dict[str, Any]], currency: str
) -> None:
    present = content(currency=currency)
    found = read({"line_items": json.loads(json.dumps(items))}, present)
    wanted = sum(round_half_up(Decimal(str(one["quantity"])) * one["unit_price_cents"]) for one in items)
    if wanted >= MAX_MINOR:
        assert causes(found) == {"line_items": f"cannot be accepted: line_items: they sum to {wanted} minor units"}
        return
    made = present.patched(found.whole())
    assert (made.total.minor, made.currency) == (wanted, currency)


def round_half_up(value: Decimal) -> int:
    return int((value + Decimal("0.5")).to_integral_value("ROUND_FLOOR"))


@given(
    quantity=st.decimals("0.0001", 999_999, places=4),
    price=st.decimals("0.0001", 999, places=4),
    currency=st.sampled_from(CURRENCIES),
)
def test_our_own_lines_come_back_as_ours_with_their_metering(quantity: Decimal, price: Decimal, currency: str) -> None:
    ours = Line(description="API calls", quantity=quantity, unit_price=price)
    sent = as_sent(ours, currency)
    cents = to_wire(int(sent.unit_price.scaleb(decimals_of(currency))), currency)
    returned = item(sent.description, json.loads(f"{sent.quantity:f}"), cents)
    present = content(ours, currency=currency)
    assert read({"line_items": [returned]}, present).patch.lines == (ours,)


def test_minor_units_are_those_of_the_invoices_currency() -> None:
    for currency, price in (("USD", "12.34"), ("JPY", "1234"), ("KWD", "1.234")):
        found = read({"line_items": [item(unit_price_cents=1234)]}, content(currency=currency))
        assert found.patch.lines == (line(unit_price=price),), currency


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("line_items", "all of them", "cannot be read: it is no list"),
        ("line_items", [], "there are 0"),
        ("line_items", [item()] * 501, "there are 501"),
        ("line_items", ["x"], "line_items.0: it is no object"),
        ("line_items", [item(), item(description="")], "line_items.1.description: it is empty"),
        ("line_items", [item(description="\u202e\u200b")], "line_items.0.description: it is empty"),
        ("line_items", [item(description="x" * 2001)], "line_items.0.description: it is longer than 2000"),
        ("line_items", [item(quantity=0)], "line_items.0.quantity: it is not positive"),
        ("line_items", [item(quantity=True)], "line_items.0.quantity: it is no number"),
        ("line_items", [item(quantity=float("nan"))], "line_items.0.quantity: it is no number"),
        ("line_items", [item(quantity=10**400)], "line_items.0.quantity: it is no number"),
        ("line_items", [item(quantity=0.1 + 0.2)], "at most 15 digits"),
        ("line_items", [item(unit_price_cents=-1)], "line_items.0.unit_price_cents: it is negative"),
        ("line_items", [item(unit_price_cents=10.0)], "it is no whole number of minor units"),
        ("line_items", [item(unit_price_cents="10")], "it is no whole number of minor units"),
        ("line_items", [item(unit_price_cents=10**15)], "it is too large"),
        ("line_items", [item(quantity=10**9, unit_price_cents=10**9)], "minor units"),
        ("discount", {"type": "gift"}, "discount.type: it is neither percent nor flat"),
        ("discount", {"type": "percent", "value": 101}, "discount.value: it is not between 0 and 100"),
        ("discount", {"type": "flat", "value_cents": 10001}, "more than the lines"),
        ("payment_terms", "net_0", "cannot be read: it is neither due_on_receipt nor net_N"),
        ("due_date", "20261130", "it is no date such as 2026-11-30"),
        ("due_date", "2026-02-30", "it is no date such as 2026-11-30"),
        ("currency", ["USD"], "cannot be read: it is no text"),
        ("currency", "EUR", "an invoice keeps its currency, USD"),
        ("po_number", "PO-1", "not a commercial field"),
    ],
)
def test_each_part_that_cannot_be_accepted_says_why_and_leaves_the_others(part: str, value: Any, says: str) -> None:
    found = read({"payment_terms": "net_45", part: value}, content())
    assert says in causes(found)[part]
    assert part not in found.parts
    if part != "payment_terms":
        assert found.whole() == Patch(payment_terms="net_45")


def test_amounts_in_another_currency_are_not_taken_for_amounts_in_this_one() -> None:
    proposed = {
        "currency": "JPY",
        "line_items": [item(unit_price_cents=5000)],
        "discount": {"type": "flat", "value_cents": 100},
        "due_date": "2026-12-01",
    }
    found = read(proposed, content())
    assert found.parts == (Part.DUE_DATE,)
    assert set(causes(found)) == {"currency", "line_items", "discount"}
    assert "its amounts are in 'JPY'" in causes(found)["line_items"]


def test_a_discount_of_nothing_takes_the_discount_away() -> None:
    discount = Discount(type=DiscountType.PERCENT, value=Decimal(10))
    found = read({"discount": {"type": "percent", "value": 0}}, content(discount=discount))
    assert content(discount=discount).patched(found.whole()).discount is None


def test_lines_that_the_standing_discount_would_outweigh_are_refused_as_such() -> None:
    discount = Discount(type=DiscountType.FLAT, value=Decimal(60))
    found = read({"line_items": [item(unit_price_cents=5000)]}, content(discount=discount))
    assert "more than the lines" in causes(found)["line_items"]


def test_what_is_accepted_is_the_text_that_a_person_could_see() -> None:
    found = read({"line_items": [item(description="Design\n\x1b[2J \u202eapproved\u200b")]}, content())
    assert found.patch.lines == (line("Design [2J approved"),)


def test_parts_are_taken_alone_and_an_unknown_or_unsound_one_is_refused_by_name() -> None:
    proposed = {"line_items": [item(unit_price_cents=9000)], "due_date": "2026-12-01", "currency": "EUR"}
    proposed_in_dollars = {**proposed, "currency": "USD"}
    assert accepted(content(), proposed_in_dollars, None, ["due_date"]) == Patch(due_date=date(2026, 12, 1))
    for parts, cause in ((["currency"], "keeps its currency"), (["discount"], "not proposed"), ([], "names none")):
        with pytest.raises(BadInput, match=cause) as refused:
            accepted(content(), proposed, None, parts)
        assert refused.value.field == "parts"


def test_nothing_acceptable_is_refused_naming_part_and_cause() -> None:
    with pytest.raises(BadInput, match=r"due_date: cannot be read: it is no date") as refused:
        accepted(content(), {"due_date": "soon"}, None, None)
    assert (refused.value.field, "patch" in refused.value.next_step) == ("proposed", True)
    with pytest.raises(BadInput, match="in words alone"):
        accepted(content(), None, None, None)


def test_an_edit_is_the_whole_answer() -> None:
    edit = Patch(payment_terms="net_14")
    assert accepted(content(), {"due_date": "2026-12-01"}, edit, None) == edit
    with pytest.raises(BadInput, match="an edit is the whole answer"):
        accepted(content(), {"due_date": "2026-12-01"}, edit, ["due_date"])


@pytest.mark.parametrize("edit", [Patch(), Patch(lines=content().lines), Patch(payment_terms=content().payment_terms)])
def test_an_edit_that_changes_nothing_is_no_answer(edit: Patch) -> None:
    with pytest.raises(BadInput, match="changes nothing") as refused:
        accepted(content(), {"due_date": "2026-12-01"}, edit, None)
    assert (refused.value.field, "decline" in refused.value.next_step) == ("patch", True)


def test_in_part_is_whatever_is_not_all_that_was_proposed() -> None:
    before = content()
    proposed = {"line_items": [item(unit_price_cents=9000)], "payment_terms": "net_45"}
    whole = before.patched(accepted(before, proposed, None, None))
    assert not is_in_part(before, proposed, whole)
    assert is_in_part(before, proposed, before.patched(accepted(before, proposed, None, ["line_items"])))
    assert is_in_part(before, {**proposed, "currency": "USD", "po_number": "1"}, whole)
    assert not is_in_part(before, None, whole)
