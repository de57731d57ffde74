"""A month is the group's own: edges, clock changes and leap days in the zones that people have."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import BadInput
from billing.groups import BillingGroup, first_day, last_day, month_after

ZONES = ["Pacific/Auckland", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata"]

EDGES = [
    # zone, the last moment of a month and the first of the next (UTC), the month that ends
    ("Pacific/Auckland", "2026-09-30T10:59:59.999999", "2026-09"),  # NZDT since 27 September: +13
    ("Pacific/Auckland", "2026-03-31T10:59:59.999999", "2026-03"),  # +13 until 5 April
    ("Pacific/Auckland", "2026-04-30T11:59:59.999999", "2026-04"),  # +12 after it
    ("Pacific/Auckland", "2028-02-29T10:59:59.999999", "2028-02"),
    ("Europe/Berlin", "2026-03-31T21:59:59.999999", "2026-03"),  # +2 since the 29th
    ("Europe/Berlin", "2026-10-31T22:59:59.999999", "2026-10"),  # +1 since the 25th
    ("Europe/Berlin", "2026-09-30T21:59:59.999999", "2026-09"),
    ("Europe/Berlin", "2028-02-29T22:59:59.999999", "2028-02"),
    ("Europe/Berlin", "2026-02-28T22:59:59.999999", "2026-02"),
    ("America/Los_Angeles", "2026-04-01T06:59:59.999999", "2026-03"),  # -7 since 8 March
    ("America/Los_Angeles", "2026-11-01T06:59:59.999999", "2026-10"),  # the change is two hours into November
    ("America/Los_Angeles", "2026-12-01T07:59:59.999999", "2026-11"),
    ("America/Los_Angeles", "2028-03-01T07:59:59.999999", "2028-02"),
    ("Asia/Kolkata", "2026-09-30T18:29:59.999999", "2026-09"),  # half an hour off, no clock change
    ("Asia/Kolkata", "2028-02-29T18:29:59.999999", "2028-02"),
]


@pytest.mark.parametrize(("zone", "last", "month"), EDGES)
def test_a_month_ends_at_local_midnight_to_the_microsecond(zone: str, last: str, month: str) -> None:
    group = BillingGroup(name="g", zone=zone)
    moment = datetime.fromisoformat(last).replace(tzinfo=UTC)
    assert group.month_of(moment) == month
    assert group.month_of(moment + timedelta(microseconds=1)) == month_after(month)


MOMENTS = st.integers(0, 20 * 366 * 86_400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(st.sampled_from(ZONES), MOMENTS)
def test_a_moment_s_month_is_that_of_its_local_day_whatever_zone_it_is_written_in(zone: str, at: datetime) -> None:
    group = BillingGroup(name="g", zone=zone)
    day = group.day_of(at)
    assert first_day(group.month_of(at)) <= day <= last_day(group.month_of(at))
    assert group.month_of(at.astimezone(None)) == group.month_of(at)


def test_the_repeated_hour_of_a_clock_change_is_in_one_month() -> None:
    group = BillingGroup(name="g", zone="America/Los_Angeles")
    hours = [datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (8, 9)]
    assert [group.month_of(at) for at in hours] == ["2026-11", "2026-11"]


def test_a_time_without_a_zone_has_no_month() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        BillingGroup(name="g", zone="UTC").month_of(datetime(2026, 1, 1))  # noqa: DTZ001


def test_months_follow_each_other_over_the_year() -> None:
    months = ["2027-12"]
    while len(months) < 14:
        months.append(month_after(months[-1]))
    assert months[1:4] == ["2028-01", "2028-02", "2028-03"]
    assert months[-2:] == ["2028-12", "2029-01"]
    assert [last_day(month) for month in ("2028-02", "2027-02", "2026-12")] == [
        date(2028, 2, 29),
        date(2027, 2, 28),
        date(2026, 12, 31),
    ]


@pytest.mark.parametrize("period", ["2026-13", "2026-1", "0000-01", "october", ""])
def test_what_is_no_month_is_refused(period: str) -> None:
    with pytest.raises(BadInput):
        first_day(period)
