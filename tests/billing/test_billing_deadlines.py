"""Business time: it passes only while the office is open, in the office's own zone, over clock changes too."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.deadlines import Calendar, Weekday, add_business_time

BERLIN = Calendar(zone="Europe/Berlin", holidays="DE-BE")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Australia/Lord_Howe"]

calendars = st.builds(
    Calendar,
    zone=st.sampled_from(ZONES),
    opens=st.sampled_from([time(0), time(1, 30), time(9)]),
    closes=st.sampled_from([time(12), time(17, 45), time(23, 59)]),
    weekdays=st.sets(st.sampled_from(Weekday), min_size=1).map(tuple),
    holidays=st.sampled_from(["", "DE", "US-NY", "ECB"]),
)
starts = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
amounts = st.timedeltas(timedelta(0), timedelta(hours=200))
positive = st.timedeltas(timedelta(microseconds=1), timedelta(hours=100))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def is_open(at: datetime, calendar: Calendar) -> bool:
    """The rule a second time, asked of one instant."""
    local = at.astimezone(ZoneInfo(calendar.zone))
    return calendar.is_working_day(local.date()) and calendar.opens <= local.time() < calendar.closes


QUARTER = timedelta(minutes=15)


def open_quarters(start: datetime, end: datetime, calendar: Calendar) -> int:
    return sum(is_open(start + n * QUARTER, calendar) for n in range((end - start) // QUARTER))


@given(starts, amounts, calendars)
def test_a_deadline_is_utc_not_before_its_start_and_within_opening_hours(
    start: datetime, amount: timedelta, calendar: Calendar
) -> None:
    end = add_business_time(start, amount, calendar)
    assert end.tzinfo is UTC
    assert end >= start + amount
    assert is_open(end, calendar) or is_open(end - timedelta(microseconds=1), calendar)


@given(starts, positive, positive, calendars)
def test_waiting_twice_is_waiting_once_for_both(
    start: datetime, first: timedelta, second: timedelta, calendar: Calendar
) -> None:
    once = add_business_time(start, first + second, calendar)
    assert add_business_time(add_business_time(start, first, calendar), second, calendar) == once


@given(starts, starts, amounts, calendars)
def test_who_starts_later_is_never_due_earlier(a: datetime, b: datetime, amount: timedelta, calendar: Calendar) -> None:
    first, second = (add_business_time(start, amount, calendar) for start in sorted((a, b)))
    assert first <= second


@given(st.integers(0, 4 * 24 * 30), st.integers(0, 4 * 20), st.sampled_from(ZONES))
def test_exactly_the_amount_of_open_time_lies_between_start_and_deadline(at: int, amount: int, zone: str) -> None:
    calendar = Calendar(zone=zone, opens=time(9), closes=time(17))
    start = datetime(2026, 3, 1, tzinfo=UTC) + at * QUARTER
    assert open_quarters(start, add_business_time(start, amount * QUARTER, calendar), calendar) == amount


def test_four_hours_given_late_on_a_friday_are_due_on_monday() -> None:
    end = add_business_time(utc("2026-11-20T16:00+01:00"), timedelta(hours=4), BERLIN)
    assert end == utc("2026-11-23T12:00+01:00")


def test_a_public_holiday_and_a_closed_day_are_no_working_days() -> None:
    start = utc("2026-12-23T16:00+01:00")
    assert add_business_time(start, timedelta(hours=2), BERLIN) == utc("2026-12-24T10:00+01:00")
    closed = BERLIN.model_copy(update={"closed": (date(2026, 12, 24),)})
    assert add_business_time(start, timedelta(hours=2), closed) == utc("2026-12-28T10:00+01:00")


def test_a_holiday_of_a_part_of_a_country_counts_only_there() -> None:
    womens_day = date(2027, 3, 8)
    assert not BERLIN.is_working_day(womens_day)
    assert Calendar(holidays="DE-BY").is_working_day(womens_day)


def test_a_holiday_on_the_first_day_of_the_next_year_is_seen() -> None:
    assert add_business_time(utc("2026-12-31T16:30+01:00"), timedelta(hours=1), BERLIN) == utc("2027-01-04T09:30+01:00")


def test_opening_hours_follow_summer_time() -> None:
    before = add_business_time(utc("2026-03-27T16:00+01:00"), timedelta(hours=2), BERLIN)
    assert before == utc("2026-03-30T10:00+02:00")
    after = add_business_time(utc("2026-10-23T16:00+02:00"), timedelta(hours=2), BERLIN)
    assert after == utc("2026-10-26T10:00+01:00")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 11), ("2026-10-25", 13), ("2026-07-05", 12)])
def test_a_clock_change_within_opening_hours_neither_gives_nor_takes_an_hour(day: str, hours: int) -> None:
    sundays = Calendar(zone="Europe/Berlin", opens=time(0), closes=time(12), weekdays=(Weekday.SUN,))
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    opens, closes = sundays.hours_of(midnight.date())
    assert closes - opens == timedelta(hours=hours)
    assert add_business_time(midnight, timedelta(hours=hours), sundays) == closes


def test_no_time_at_all_is_the_next_open_moment() -> None:
    within = utc("2026-11-20T10:00+01:00")
    assert add_business_time(within, timedelta(0), BERLIN) == within
    assert add_business_time(utc("2026-11-21T10:00+01:00"), timedelta(0), BERLIN) == utc("2026-11-23T09:00+01:00")


def test_time_that_ends_with_the_day_ends_at_closing() -> None:
    end = add_business_time(utc("2026-11-20T09:00+01:00"), timedelta(hours=8), BERLIN)
    assert end == utc("2026-11-20T17:00+01:00")


def test_the_day_is_the_office_s_day_not_utc_s() -> None:
    auckland = Calendar(zone="Pacific/Auckland")
    end = add_business_time(utc("2026-11-22T20:30+00:00"), timedelta(hours=1), auckland)
    assert end == utc("2026-11-23T10:30+13:00")


@pytest.mark.parametrize("start", [datetime(2026, 1, 1), "negative"])  # noqa: DTZ001 - the naive time is the point
def test_a_naive_start_and_a_negative_amount_are_refused(start: object) -> None:
    at, amount = (start, timedelta(1)) if isinstance(start, datetime) else (utc("2026-01-01T00:00Z"), timedelta(-1))
    with pytest.raises(ValueError, match="aware"):
        add_business_time(at, amount, BERLIN)


def test_a_deadline_beyond_ten_years_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="ten years"):
        add_business_time(utc("2026-01-01T00:00Z"), timedelta(hours=100_000), BERLIN)


@pytest.mark.parametrize(
    "field",
    [
        {"zone": "Mars/Olympus"},
        {"zone": "../etc"},
        {"holidays": "QQ"},
        {"holidays": "DE-QQ"},
        {"weekdays": ()},
        {"weekdays": ("monday",)},
        {"opens": 9},
        {"opens": "09:00:00+02:00"},
        {"opens": time(17), "closes": time(9)},
    ],
)
def test_a_calendar_that_cannot_be_kept_is_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Calendar.model_validate(field)


@given(calendars)
def test_a_calendar_comes_back_from_the_wire(calendar: Calendar) -> None:
    assert Calendar.model_validate_json(calendar.model_dump_json()) == calendar


@given(start=starts, amount=amounts, calendar=calendars)
def test_a_calendar_that_names_its_days_off_itself_gives_the_same_deadlines(
    start: datetime, amount: timedelta, calendar: Calendar
) -> None:
    """And looks nothing up any more."""
    spelled = calendar.spelled_out(start.year)
    assert spelled.holidays == ""
    assert add_business_time(start, amount, spelled) == add_business_time(start, amount, calendar)
