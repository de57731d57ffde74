"""Side by side, lines are paired as a person would pair them, and effects add up to the change of the total."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.comparison import Comparison, compare, side_by_side
from billing.intent import Commercial, Discount, DiscountType, Line
from billing.money import decimals_of
from billing.proposals import read
from tests.billing.contents import content, line


def pairs(found: Comparison) -> list[tuple[str, str | None, str | None, str]]:
    return [
        (
            row.difference.value,
            row.present.description if row.present else None,
            row.proposed.description if row.proposed else None,
            row.effect,
        )
        for row in found.line_items
    ]


words = st.sampled_from(["Design", "design ", "Build", "Travel", "API calls"])
lines = st.builds(
    Line,
    description=words,
    quantity=st.decimals("0.001", 99, places=3),
    unit_price=st.decimals(0, 999, places=4),
)
discounts = st.none() | st.builds(Discount, type=st.just(DiscountType.PERCENT), value=st.decimals(1, 100, places=2))


def contents(currency: str) -> st.SearchStrategy[Commercial]:
    return st.builds(
        Commercial,
        currency=st.just(currency),
        lines=st.lists(lines, min_size=1, max_size=6).map(tuple),
        discount=discounts,
        due_date=st.none() | st.dates(),
    )


@given(st.data(), st.sampled_from(["USD", "JPY", "KWD"]))
def test_effects_add_up_to_the_difference_of_the_totals(data: st.DataObject, currency: str) -> None:
    before, after = data.draw(contents(currency)), data.draw(contents(currency))
    found = side_by_side(before, after)
    unit = Decimal(1).scaleb(-decimals_of(currency))
    assert found.total.effect_minor == after.total.minor - before.total.minor
    assert Decimal(found.total.effect) == found.total.effect_minor * unit
    assert sum(Decimal(row.effect) for row in found.line_items) == Decimal(found.subtotal.effect)
    assert Decimal(found.subtotal.effect) + Decimal(found.discount.effect) == Decimal(found.total.effect)


@given(st.data())
def test_every_line_stands_in_exactly_one_row(data: st.DataObject) -> None:
    before, after = data.draw(contents("USD")), data.draw(contents("USD"))
    rows = side_by_side(before, after).line_items
    assert [row.present.description for row in rows if row.present] == [one.description.strip() for one in before.lines]
    assert sorted(row.proposed.description for row in rows if row.proposed) == sorted(
        one.description.strip() for one in after.lines
    )


@given(contents("KWD"))
def test_a_content_beside_itself_differs_nowhere(one: Commercial) -> None:
    found = side_by_side(one, one)
    assert {row.difference for row in found.line_items} == {"same"}
    assert (found.total.effect_minor, found.discount.difference, found.due_date.difference) == (0, "same", "same")


def test_lines_are_paired_by_words_then_by_price_then_as_the_only_ones_left() -> None:
    before = content(line("Design"), line("Build", "2", "50"), line("Travel", "1", "30"))
    after = content(line("Travel", "1", "20"), line("Site build", "2", "50"), line("Design, reduced", "1", "80"))
    assert pairs(side_by_side(before, after)) == [
        ("changed", "Design", "Design, reduced", "-20.00"),
        ("changed", "Build", "Site build", "0.00"),
        ("changed", "Travel", "Travel", "-10.00"),
    ]


def test_what_is_added_stands_where_it_was_put_and_what_is_removed_where_it_stood() -> None:
    before = content(line("Design"), line("Build", "2", "50"), line("Travel", "1", "30"))
    after = content(line("Design"), line("Workshop", "3", "7"), line("Review", "1", "9"), line("Travel", "1", "30"))
    assert pairs(side_by_side(before, after)) == [
        ("same", "Design", "Design", "0.00"),
        ("removed", "Build", None, "-100.00"),
        ("added", None, "Workshop", "21.00"),
        ("added", None, "Review", "9.00"),
        ("same", "Travel", "Travel", "0.00"),
    ]


def test_a_proposal_is_shown_with_what_can_and_what_cannot_be_accepted() -> None:
    proposed = {"discount": {"type": "percent", "value": 2.5}, "due_date": "2026-12-01", "currency": ["?"]}
    present = content(currency="JPY")
    found = compare(present, read(proposed, present))
    assert found.discount.proposed is not None
    assert (found.discount.proposed.value, found.discount.proposed.off) == ("2.5", "3")
    assert (found.total.present, found.total.proposed, found.total.effect) == ("100", "97", "-3")
    assert (found.due_date.present, found.due_date.proposed) == (None, date(2026, 12, 1))
    assert found.parts == ("discount", "due_date")
    assert [one.part for one in found.refused] == ["currency"]
