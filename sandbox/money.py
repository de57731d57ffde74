"""Amounts: integers in ISO 4217 minor units, quantities as `Decimal`, one rounding per line and one per discount."""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from iso4217 import Currency

from sandbox.problems import Invalid

LARGEST = 10**15
# A double holds every integer up to 2**53, so no reader of the JSON can lose a unit below this.


@lru_cache(maxsize=512)
def decimals(code: str) -> int | None:
    """Digits after the point by ISO 4217; None for an unknown code or one without a minor unit (gold, testing)."""
    try:
        exponent = Currency(code).exponent
    except ValueError:
        return None
    return None if exponent is None else int(exponent)


def half_up(amount: Decimal) -> int:
    """Round to a whole minor unit, halves away from zero."""
    return int(amount.to_integral_value(ROUND_HALF_UP))


def line_amount(line: dict[str, Any]) -> int:
    """`quantity * unit_price_cents`, rounded once."""
    return half_up(Decimal(line["quantity"]) * line["unit_price_cents"])


def subtotal(lines: list[dict[str, Any]]) -> int:
    """The sum of the rounded lines."""
    return sum(line_amount(line) for line in lines)


def discount_amount(lines: list[dict[str, Any]], discount: dict[str, Any] | None) -> int:
    """A flat discount as it is; a percent one rounded once, on the subtotal."""
    if discount is None:
        return 0
    if discount["type"] == "flat":
        return int(discount["value_cents"])
    return half_up(subtotal(lines) * Decimal(discount["value"]) / 100)


def total(lines: list[dict[str, Any]], discount: dict[str, Any] | None) -> int:
    """Subtotal less discount. Raises `Invalid` below zero or beyond what JSON numbers carry."""
    amount = subtotal(lines) - discount_amount(lines, discount)
    if amount < 0:
        raise Invalid("The total would be negative.", "discount" if discount else "line_items")
    if amount > LARGEST:
        raise Invalid("The total is too large.", "line_items")
    return amount


def formatted(minor: int, code: str) -> str:
    """`EUR 1,234.50`: the code, never a symbol, since five dollars are written `$`."""
    digits = decimals(code) or 0
    return f"{code} {Decimal(minor).scaleb(-digits):,.{digits}f}"
