"""Money: exact, half up, scaled by ISO 4217, never from a float."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from billing.errors import BadInput
from billing.money import (
    Money,
    PlainDecimal,
    decimals_of,
    half_up,
    line_minor,
    parse_decimal,
    percent_minor,
    plain_text,
)
from billing.money import subtotal_minor as sum_of_lines

CURRENCIES = {"JPY": 0, "USD": 2, "EUR": 2, "KWD": 3, "UYW": 4}

decimals = st.decimals(min_value=-(10**9), max_value=10**9, places=8)
prices = st.decimals(min_value=0, max_value=10**6, places=8)
quantities = st.decimals(min_value="0.0001", max_value=10**6, places=4)
currencies = st.sampled_from(sorted(CURRENCIES))


def rounded(exact: Fraction) -> int:
    """Half up by integers alone: the rule written a second time."""
    sign = -1 if exact < 0 else 1
    return sign * int((abs(exact) * 2 + 1) // 2)


@pytest.mark.parametrize(("currency", "decimals"), CURRENCIES.items())
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert decimals_of(currency) == decimals


@pytest.mark.parametrize("currency", ["AFN", "IQD", "RSD", "MMK"])
def test_where_cldr_rounds_a_currency_to_other_decimals_iso_holds(currency: str) -> None:
    assert decimals_of(currency) == {"IQD": 3}.get(currency, 2)


@pytest.mark.parametrize("code", ["", "usd", "US", "EURO", "XAU", "XXX", "ZZZ", "U\0D", "€"])
def test_what_is_no_currency_is_refused_naming_the_field(code: str) -> None:
    with pytest.raises(BadInput, match="ISO 4217") as refusal:
        decimals_of(code)
    assert refusal.value.field == "currency"


@given(st.integers(min_value=-(10**14), max_value=10**14), currencies)
def test_minor_units_come_back_from_their_decimal_string(minor: int, currency: str) -> None:
    money = Money(minor=minor, currency=currency)
    assert Money.parse(f"{money.major:f}", currency) == money


@given(decimals)
def test_an_exact_half_goes_away_from_zero_and_nothing_else_moves_by_more_than_a_half(value: Decimal) -> None:
    assert half_up(value) == rounded(Fraction(value))


@pytest.mark.parametrize(
    ("quantity", "price", "minor"),
    [("15", "5.311", 7967), ("1", "0.005", 1), ("1", "0.0049999", 0), ("3", "0.335", 101), ("100000", "0.0004", 4000)],
)
def test_a_line_is_rounded_half_up_to_minor_units(quantity: str, price: str, minor: int) -> None:
    assert line_minor(Decimal(quantity), Decimal(price), "USD") == minor


@given(quantities, prices, currencies)
def test_a_line_is_rounded_once_from_its_exact_product(quantity: Decimal, price: Decimal, currency: str) -> None:
    exact = Fraction(quantity) * Fraction(price) * 10 ** CURRENCIES[currency]
    assert line_minor(quantity, price, currency) == rounded(exact)


@given(st.lists(st.tuples(quantities, prices), max_size=20), currencies)
def test_a_subtotal_is_the_sum_of_rounded_lines(lines: list[tuple[Decimal, Decimal]], currency: str) -> None:
    assert sum_of_lines(lines, currency) == sum(line_minor(quantity, price, currency) for quantity, price in lines)


@given(st.integers(0, 10**14), st.decimals("0.01", 100, places=4))
def test_a_percentage_is_rounded_once_and_never_passes_the_subtotal(subtotal: int, percent: Decimal) -> None:
    off = percent_minor(subtotal, percent)
    assert off == rounded(Fraction(subtotal) * Fraction(percent) / 100)
    assert 0 <= off <= subtotal


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1e3",
        "NaN",
        "Infinity",
        "1,000.00",
        "1_000",
        ".5",
        "5.",
        "+1",
        "--1",
        "0x1",
        "\u0661",
        "1.\n",
        "9" * 16,
    ],
)
def test_what_is_no_plain_decimal_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        parse_decimal(text, "unit_price")
    assert refusal.value.field == "unit_price"


@pytest.mark.parametrize("number", [1, 1.5, True, None])
def test_a_number_in_the_place_of_a_decimal_string_is_refused(number: object) -> None:
    with pytest.raises(BadInput, match="no plain decimal"):
        parse_decimal(number, "amount")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "currency"), [("1.5", "JPY"), ("1.005", "USD"), ("1.0005", "KWD"), ("1.00005", "UYW")]
)
def test_more_decimals_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(BadInput, match=f"decimals of {currency}") as refusal:
        Money.parse(text, currency, "line_items.0.unit_price")
    assert refusal.value.field == "line_items.0.unit_price"


def test_trailing_zeros_are_no_decimals_too_many() -> None:
    assert Money.parse("100.00", "JPY") == Money(minor=100, currency="JPY")


@pytest.mark.parametrize("minor", [1.0, "1", True])
def test_minor_units_are_an_integer_and_nothing_that_looks_like_one(minor: object) -> None:
    with pytest.raises(ValidationError):
        Money(minor=minor, currency="USD")  # type: ignore[arg-type]


def test_people_read_amounts_with_the_currency_s_decimals() -> None:
    assert str(Money(minor=2500001, currency="USD")) == "25,000.01 USD"
    assert str(Money(minor=1500000, currency="JPY")) == "1,500,000 JPY"
    assert str(Money(minor=5, currency="KWD")) == "0.005 KWD"


class _Wire(BaseModel):
    value: PlainDecimal


@given(decimals)
def test_a_decimal_travels_as_one_plain_spelling_and_comes_back_equal(value: Decimal) -> None:
    text = plain_text(value)
    assert Decimal(text) == value
    assert "E" not in text.upper()
    assert text == plain_text(value.normalize()) == plain_text(value.quantize(Decimal("1e-12"), rounding=ROUND_HALF_UP))
    assert _Wire.model_validate_json(_Wire(value=value).model_dump_json()).value == value


@pytest.mark.parametrize(
    "body", ['{"value": 1}', '{"value": 0.1}', '{"value": "1e3"}', '{"value": "NaN"}', '{"value": null}']
)
def test_a_decimal_is_never_read_from_a_json_number(body: str) -> None:
    with pytest.raises(ValidationError, match="decimal string"):
        _Wire.model_validate_json(body)
