"""Words of the timeline that somebody reads again: their writer and the audit take them from here."""

import re
from typing import Final

READ_BACK: Final = "read back from the approved version"
PAST_CHANGE: Final = "nothing can be changed any more"
_ISSUED: Final = re.compile(r"V([0-9]+) issued")


def issued(version: int, total: object) -> str:
    return f"V{version} issued over {total}"


def issued_version(text: str) -> int | None:
    """The version of `issued`'s words; None where they are other words."""
    found = _ISSUED.match(text)
    return int(found[1]) if found else None
