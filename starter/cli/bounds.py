"""What bounds a token, as it is written on the command line: amounts per currency, customers, an end."""

import re
from datetime import datetime, timedelta
from typing import Final

from billing.agents import Grant
from billing.errors import BadInput
from billing.keys import checked_id
from billing.money import Money

_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([hd])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1)}
_LIMIT_NEXT: Final = "write it as USD=5000"


def grant_named(name: str, limits: list[str], customers: list[str]) -> Grant | None:
    """None where nothing was named. Raises BadInput naming the option."""
    if not limits and not customers:
        return None
    found = dict(_limit(one) for one in limits)
    if len(found) < len(limits):
        raise BadInput("limit", "a currency is named twice", _LIMIT_NEXT)
    return Grant(name=name, limits=found, customers=tuple(checked_id(one, "customer") for one in customers))


def _limit(text: str) -> tuple[str, int]:
    currency, is_one, amount = text.partition("=")
    if not is_one:
        raise BadInput("limit", f"{text!r} names no amount", _LIMIT_NEXT)
    minor = Money.parse(amount, currency, "limit").minor
    if minor <= 0:
        raise BadInput("limit", f"{text} allows nothing", "leave it out: then a person decides on every amount")
    return currency, minor


def end_of(text: str, now: datetime) -> datetime:
    """`30d` or `12h` from `now` (aware UTC), or a time as in RFC 3339. Raises BadInput."""
    span = _SPAN.fullmatch(text)
    if span:
        return now + int(span[1]) * _UNITS[span[2]]
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        end = None
    if end is None or end.tzinfo is None:
        raise BadInput("expires", f"{text!r} is no time", "write 30d, 12h or 2027-01-31T00:00:00Z")
    return end
