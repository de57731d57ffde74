"""What the pages calculate by themselves: the geometry of charts, and which part of a form is an edit."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from billing.comparison import LineSide
from billing.errors import BadInput
from records.contents import ContentView
from starter.console.pages import charts
from starter.console.pages.editing import EMPTY_ROWS, Edit, effect

CONTENT = ContentView(
    lines=[
        LineSide(description="Design", quantity="1", unit_price="10000", amount="10000.00"),
        LineSide(description="Calls", quantity="1", unit_price="0.0004", amount="0.00"),
    ],
    discount=None,
    payment_terms="net_30",
    due_date=date(2026, 12, 1),
    subtotal="10000.00",
    total="10000.00",
)


def form(edit: Edit, **changes: str) -> FormData:
    """As a browser sends it: each line's fields in order, empty rows too."""
    pairs = [(name, text) for row in edit.rows for name, text in row.items()]
    terms = {name: value for name, value in vars(edit).items() if name != "lines"}
    return FormData([*pairs, *(terms | changes).items()])


@given(st.lists(st.lists(st.integers(0, 10_000), min_size=3, max_size=3), min_size=1, max_size=60))
def test_every_column_stands_on_the_base_and_within_the_drawing(counts: list[list[int]]) -> None:
    names = ("approved", "sent", "waiting")
    series = list(zip(names, zip(*counts, strict=True), strict=True))
    chart = charts.stacked([str(place) for place in range(len(counts))], series)
    for block in chart.blocks:
        assert block.x >= charts.LEFT
        assert block.x + block.width <= chart.width + 0.01
        assert block.y >= charts.TOP - 0.02
        assert block.y + block.height <= charts.BASE + 0.02
    assert len(chart.blocks) == sum(count > 0 for day in counts for count in day)
    heights = dict.fromkeys(range(len(counts)), 0.0)
    top = charts.nice_top(max(map(sum, counts)))
    for block in chart.blocks:
        heights[int(block.words.partition(":")[0])] += block.height
    for place, day in enumerate(counts):
        assert heights[place] == pytest.approx(sum(day) / top * (charts.BASE - charts.TOP), abs=0.05)


@given(st.integers(1, 10_000_000))
def test_an_axis_ends_at_a_round_figure_not_below_the_highest_column(most: int) -> None:
    top = charts.nice_top(most)
    assert most <= top <= 2.5 * most
    ticks = charts.stacked(["a"], [("n", [most])]).across
    assert all(float(tick.label).is_integer() for tick in ticks) or top >= 10
    assert [tick.at for tick in ticks] == sorted((tick.at for tick in ticks), reverse=True)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (45, "45 s"), (90, "1.5 min"), (7200, "2 h"), (200_000, "2.3 d")]
)
def test_a_duration_reads_in_its_largest_unit(seconds: float, words: str) -> None:
    assert charts.span(seconds) == words


def test_a_share_of_nothing_is_no_figure() -> None:
    assert charts.percent(0, 0) == "\N{EM DASH}"
    assert charts.percent(1, 3) == "33 %"


def test_a_form_that_comes_back_as_it_went_is_no_edit() -> None:
    edit = Edit.of(CONTENT)
    assert len(edit.rows) == len(CONTENT.lines) + EMPTY_ROWS
    assert Edit.sent(form(edit)) == edit
    with pytest.raises(BadInput, match="nothing was changed"):
        Edit.sent(form(edit)).patch(CONTENT)


def test_only_what_was_changed_becomes_the_patch() -> None:
    patch = Edit.sent(form(Edit.of(CONTENT), due_date="2026-12-24")).patch(CONTENT)
    assert patch.model_dump(exclude_unset=True) == {"due_date": date(2026, 12, 24)}
    patch = Edit.sent(form(Edit.of(CONTENT), discount_type="percent", discount_value="10")).patch(CONTENT)
    assert effect(CONTENT, patch.to_patch("USD"), "USD").total.effect == "-1000.00"


def test_an_emptied_line_is_taken_away() -> None:
    edit = Edit.of(CONTENT)
    gone = Edit(lines=[edit.lines[0], dict.fromkeys(edit.lines[1], "")], payment_terms="net_30", due_date="2026-12-01")
    patch = Edit.sent(form(gone)).patch(CONTENT)
    assert patch.line_items is not None
    assert [line.description for line in patch.line_items] == ["Design"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"due_date": ""}, "due_date"),
        ({"due_date": "tomorrow"}, "due_date"),
        ({"discount_type": "percent", "discount_value": "much"}, "discount.value"),
        ({"payment_terms": "whenever"}, "payment_terms"),
    ],
)
def test_what_does_not_hold_is_refused_by_its_field(changes: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        effect(CONTENT, Edit.sent(form(Edit.of(CONTENT), **changes)).patch(CONTENT).to_patch("USD"), "USD")
    assert refused.value.field == field


def test_another_edit_has_another_seal() -> None:
    edit = Edit.of(CONTENT)
    assert Edit.sent(form(edit)).seal == edit.seal
    assert Edit.sent(form(edit, payment_terms="net_45")).seal != edit.seal
