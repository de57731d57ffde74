"""Cursors: opaque to the caller, the last row's place in the series to us."""

import base64
import binascii
from typing import Any

from sandbox.problems import Invalid

LONGEST_PAGE = 100


def after(cursor: str | None) -> int:
    """The place a cursor stands for. Raises `Invalid` for one that we did not give out."""
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor.encode()).removeprefix(b"after:"))
    except (ValueError, binascii.Error) as error:
        raise Invalid("This cursor is not one of ours.", "cursor") from error


def page(items: list[dict[str, Any]], places: list[int], limit: int) -> dict[str, Any]:
    """`{data, next_cursor}` from one item more than the page holds, if there is one."""
    more = len(items) > limit
    cursor = base64.urlsafe_b64encode(f"after:{places[limit - 1]}".encode()).decode() if more else None
    return {"data": items[:limit], "next_cursor": cursor}
