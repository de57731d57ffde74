"""A recipient who asks for a change, on the whole stack."""

import json
from typing import Any, Final

from tests.stack import Stack

LINES: Final = [
    {"description": "Design approved", "quantity": 1, "unit_price_cents": 1_000_000},
    {"description": "Workshop", "quantity": 0.5, "unit_price_cents": 300_000},
]


async def asked(stack: Stack, message: str = "Please split it", **proposed: Any) -> tuple[str, str]:
    """An issued invoice over 12,500.00 USD whose recipient asks for a change; key and case."""
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in proposed.items()}
    answer = await stack.recipient(key, "change-request", message=message, **form)
    assert answer.is_success, answer.text
    return key, (await stack.until(key, "change_requested"))["cases"][0]["id"]
