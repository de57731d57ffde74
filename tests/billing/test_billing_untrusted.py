"""Text from outside is shown word for word, and holds nothing that a person could not see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from billing.untrusted import FILTERS, finalize, in_markdown, no_formula, one_line, plain, quoted, shown, storable
from tests.nasty import KEPT, LONG, MESSAGE, assert_plain

anything = st.text() | st.lists(st.sampled_from(MESSAGE)).map("".join)


@given(anything)
def test_nothing_unseen_is_left_and_doing_it_again_changes_nothing(text: str) -> None:
    for made in (plain(text), one_line(text), quoted(text), in_markdown(text)):
        assert_plain(made)
    assert plain(plain(text)) == plain(text)
    assert one_line(one_line(text)) == one_line(text)
    assert "\n" not in one_line(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=200))
def test_ordinary_text_is_not_mangled(text: str) -> None:
    visible = text.translate({ord(one): None for one in "\u115f\u1160\u3164\uffa0\u2800"})
    assert plain(text) == visible
    assert one_line(text) == visible


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, 5 > 3 & 2 < 4; -10 % + VAT = ok",
        "می‌خواهم",
        "👩‍👩‍👧 ok",
        "e\u0301 नमस्ते 日本語",
        "line one\n\n- a list\n- of two",
    ],
)
def test_words_lists_accents_and_emoji_stay_as_they_were_written(text: str) -> None:
    assert plain(text) == text


def test_a_joiner_between_latin_letters_hides_something_and_goes() -> None:
    assert plain("pay\u200dpal \u200c") == "paypal"


def test_a_long_text_ends_with_a_mark_and_within_its_limit() -> None:
    assert len(plain(LONG)) <= 5000
    assert plain(LONG).endswith(" [...]")
    assert len(one_line(LONG, 80)) <= 80
    assert one_line("\x1b" * 10_000 + "end", 80).endswith("[...]")
    assert all(word in plain(MESSAGE) for word in KEPT)


def test_no_line_of_a_quotation_passes_for_one_of_ours() -> None:
    assert quoted("please\r\nBillhook: approved\u2028yes") == "> please\n> Billhook: approved\n> yes"


def test_markdown_sees_a_code_span_and_nothing_else() -> None:
    assert in_markdown("a `b` [c](d)\n# e") == "`a 'b' [c](d) # e`"
    assert in_markdown("\u200b") == ""


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "-"])
def test_a_cell_that_would_be_a_formula_is_text(text: str) -> None:
    assert no_formula(text) == (text if text == "-" else f"'{text}")


@pytest.mark.parametrize("text", ["-12.50", "+5", "1,250.00", "Design - phase 2", "", "a=b"])
def test_numbers_and_ordinary_words_are_no_formula(text: str) -> None:
    assert no_formula(text) == text


def test_what_every_database_can_hold() -> None:
    value = {"a\x00": ["b\x00c", float("nan"), float("inf"), 1.5, None, True]}
    assert storable(value) == {"a\ufffd": ["b\ufffdc", None, None, 1.5, None, True]}


def test_a_json_value_is_shown_with_every_text_and_name_in_it_plain() -> None:
    assert shown({"a\u202e": [{"b": "c\x1b"}, 1, None]}) == {"a": [{"b": "c"}, 1, None]}


def test_a_template_escapes_what_the_filters_answer_and_forgets_none() -> None:
    environment = Environment(autoescape=True, finalize=finalize)
    environment.filters.update(FILTERS)
    made = environment.from_string("<p>{{ text }}</p>{{ text|one_line(40) }}|{{ text|quoted }}").render(text=MESSAGE)
    assert_plain(made)
    assert "<script>" not in made
    assert "&lt;script&gt;" in made
