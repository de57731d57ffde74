"""What an invoice bills, made small: for tests of what compares and proposes contents."""

from decimal import Decimal
from typing import Any

from billing.intent import Commercial, Line


def line(description: str = "Design", quantity: str = "1", unit_price: str = "100") -> Line:
    return Line(description=description, quantity=Decimal(quantity), unit_price=Decimal(unit_price))


def content(*lines: Line, **changes: Any) -> Commercial:
    return Commercial(currency=changes.pop("currency", "USD"), lines=lines or (line(),), **changes).check()
