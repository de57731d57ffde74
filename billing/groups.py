"""Billing groups: subscriptions that are billed together, each group by the months of its own time zone.

A month is named `2026-10` and begins at local midnight. Which month a moment lies in is asked when usage is written
down, so a later change of a zone moves nothing that is counted already.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from billing import keys
from billing.deadlines import Zone
from billing.errors import BadInput
from billing.money import Currency

_OVER_A_MONTH: Final = 31
# From a first, always into the month that follows and never past it.
_FIRST_YEAR: Final = 2
_LAST_YEAR: Final = 9998
# The calendar's first and last have no month before or after them.


class BillingGroup(BaseModel):
    """`[[billing_groups]]` of motions.toml: its months are those of `zone`. With a `currency`, no other is billed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=f"^{keys.ID_PATTERN}$")]
    zone: Zone
    currency: Currency | None = None

    def month_of(self, at: datetime) -> str:
        """The billing period that the moment `at` lies in."""
        return month_of(self.day_of(at))

    def day_of(self, at: datetime) -> date:
        """The group's calendar day of the moment `at`. Raises ValueError on a time without a zone."""
        if at.tzinfo is None:
            raise ValueError("a time without a zone has no day")
        return at.astimezone(ZoneInfo(self.zone)).date()

    def begins_at(self, period: str) -> datetime:
        """When the month begins here (aware UTC). Raises BadInput on a period that is none."""
        return datetime.combine(first_day(period), time.min, ZoneInfo(self.zone)).astimezone(UTC)

    def ends_at(self, period: str) -> datetime:
        """When the month is over here (aware UTC). Raises BadInput on a period that is none."""
        return datetime.combine(first_day(month_after(period)), time.min, ZoneInfo(self.zone)).astimezone(UTC)


def month_of(day: date) -> str:
    return f"{day.year:04d}-{day.month:02d}"


def first_day(period: str) -> date:
    """Raises BadInput on what is no `YYYY-MM`."""
    year, month = keys.checked_period(period).split("-")
    if not _FIRST_YEAR <= int(year) <= _LAST_YEAR:
        raise BadInput("period", f"{period} is no month of any calendar", "send YYYY-MM, for example 2026-10")
    return date(int(year), int(month), 1)


def last_day(period: str) -> date:
    """Raises BadInput as `first_day` does."""
    return first_day(month_after(period)) - timedelta(days=1)


def month_after(period: str) -> str:
    """Raises BadInput as `first_day` does."""
    return month_of(first_day(period) + timedelta(days=_OVER_A_MONTH))


def month_before(period: str) -> str:
    """Raises BadInput as `first_day` does."""
    return month_of(first_day(period) - timedelta(days=1))
