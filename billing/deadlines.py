"""Business time: deadlines for people count only while the office is open.

"Four hours" given on a Friday at 16:00 means Monday, and a public holiday is no working day. Opening hours are local
times of a named zone, so they follow its summer time; what lies between opening and closing is measured as real
elapsed time, so that a clock change within it neither gives nor takes an hour.
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

_MAX_DAYS: Final = 3660
# Ten years: a deadline beyond it is a mistake in the calendar, not a deadline.


class Weekday(StrEnum):
    """As written in policy.toml; the order is that of `date.weekday()`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_WEEK: Final = tuple(Weekday)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; use a name such as Europe/Berlin") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]
"""The name of an IANA time zone."""


class Calendar(BaseModel):
    """When people work. `opens` and `closes` are local times of `zone`; `closes` itself is no longer open.

    `holidays` names the public holidays kept: a country (`DE`), a part of one (`DE-BE`), a market (`ECB`), or nothing.
    `closed` are further days off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    zone: Zone = "UTC"
    opens: time = time(9)
    closes: time = time(17)
    weekdays: tuple[Weekday, ...] = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI)
    holidays: str = ""
    closed: tuple[date, ...] = ()

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def _clock_time(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError("write it as a time such as 09:00:00")  # noqa: TRY004 - pydantic reports ValueErrors
        return value

    @field_validator("opens", "closes")
    @classmethod
    def _local(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("it is a local time of the zone; leave the offset out")
        return value

    @field_validator("weekdays")
    @classmethod
    def _some_day(cls, value: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if not value:
            raise ValueError("name one weekday at least")
        return tuple(sorted(set(value), key=_WEEK.index))

    @field_validator("holidays")
    @classmethod
    def _known_holidays(cls, value: str) -> str:
        if value:
            _holidays_of(value, 2026)
        return value

    @model_validator(mode="after")
    def _some_hour(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError(f"closes at {self.closes:%H:%M}, which is not after opening at {self.opens:%H:%M}")
        return self

    def is_working_day(self, day: date) -> bool:
        """Whether people work on that day at all."""
        if _WEEK[day.weekday()] not in self.weekdays or day in self.closed:
            return False
        return not self.holidays or day not in _holidays_of(self.holidays, day.year)

    def spelled_out(self, year: int) -> Self:
        """The same with the public holidays of that year and the two after it as days off, so that nothing is looked
        up later: not in a workflow, and not in another release of the library that knows other days."""
        if not self.holidays:
            return self
        days = {day for one in range(year, year + 3) for day in _holidays_of(self.holidays, one)}
        return self.model_copy(update={"holidays": "", "closed": tuple(sorted({*self.closed, *days}))})

    def hours_of(self, day: date) -> tuple[datetime, datetime]:
        """Opening and closing of a working day as UTC instants."""
        zone = ZoneInfo(self.zone)
        opens, closes = (datetime.combine(day, at, zone).astimezone(UTC) for at in (self.opens, self.closes))
        return opens, closes


def add_business_time(start_utc: datetime, amount: timedelta, calendar: Calendar) -> datetime:
    """The UTC instant at which `amount` of open time has passed since `start_utc`.

    An amount of zero gives the next open moment, `start_utc` itself if the office is open then. Time that ends with the
    working day ends at closing, not at the next opening. Raises ValueError for a naive start, a negative amount, or a
    deadline more than ten years away.
    """
    if start_utc.tzinfo is None or amount < timedelta(0):
        raise ValueError("business time starts at an aware time and runs forward")
    start, left = start_utc.astimezone(UTC), amount
    first_day = start.astimezone(ZoneInfo(calendar.zone)).date()
    for day in (first_day + timedelta(days=n) for n in range(_MAX_DAYS)):
        if not calendar.is_working_day(day):
            continue
        opens, closes = calendar.hours_of(day)
        begins = max(start, opens)
        if begins >= closes:
            continue
        if left <= closes - begins:
            return begins + left
        left -= closes - begins
    raise ValueError(f"{amount} of business time is more than ten years away")


@lru_cache(maxsize=256)
def _holidays_of(code: str, year: int) -> frozenset[date]:
    """The public holidays of one year. Raises ValueError for a code that the `holidays` library does not know."""
    import holidays  # noqa: PLC0415 - a fifth of a second that workflow code must not pay when it imports this

    country, _, part = code.partition("-")
    try:
        if code in holidays.list_supported_financial():
            return frozenset(holidays.financial_holidays(code, years=year))
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError:
        raise ValueError(f"{code!r} names no public holidays; use a code such as DE, DE-BE, US-NY or ECB") from None
