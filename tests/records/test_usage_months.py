"""Each billing group bills its own month to the microsecond, over both clock changes and in a leap February."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from billing.intent import Intent
from billing.money import Money
from records import usage
from records.session import Database
from records.subscriptions import active_page
from tests.records.metered import AT, GROUPS, an_event, built, tell, used, with_subscription

MONTHS: Final = [
    # group, month, its first moment and the first of the next month (UTC), as worked out by hand
    ("nz", "2025-09", "2025-08-31T12:00Z", "2025-09-30T11:00Z"),  # clocks go forward on the 28th
    ("nz", "2026-04", "2026-03-31T11:00Z", "2026-04-30T12:00Z"),  # and back on the 5th
    ("nz", "2024-02", "2024-01-31T11:00Z", "2024-02-29T11:00Z"),
    ("europe", "2026-03", "2026-02-28T23:00Z", "2026-03-31T22:00Z"),  # forward on the 29th
    ("europe", "2025-10", "2025-09-30T22:00Z", "2025-10-31T23:00Z"),  # back on the 26th
    ("europe", "2024-02", "2024-01-31T23:00Z", "2024-02-29T23:00Z"),
    ("us-west", "2026-03", "2026-03-01T08:00Z", "2026-04-01T07:00Z"),  # forward on the 8th
    ("us-west", "2025-11", "2025-11-01T07:00Z", "2025-12-01T08:00Z"),  # back on the 2nd
    ("us-west", "2024-02", "2024-02-01T08:00Z", "2024-03-01T08:00Z"),
    ("india", "2026-03", "2026-02-28T18:30Z", "2026-03-31T18:30Z"),  # half an hour off, and no clock changes
    ("india", "2025-10", "2025-09-30T18:30Z", "2025-10-31T18:30Z"),
    ("india", "2024-02", "2024-01-31T18:30Z", "2024-02-29T18:30Z"),
]
_TICK: Final = timedelta(microseconds=1)


@pytest.mark.parametrize(("group", "month", "begins", "ends"), MONTHS)
async def test_a_month_bills_from_its_first_local_moment_to_its_last(
    db: Database, group: str, month: str, begins: str, ends: str
) -> None:
    await with_subscription(db, billing_group=group, started_on="2023-12-01")
    first, after = datetime.fromisoformat(begins), datetime.fromisoformat(ends)
    moments = {
        "before": (first - _TICK, "1"),
        "first": (first, "10"),
        "last": (after - _TICK, "200"),
        "after": (after, "4000"),
    }
    await tell(db, *(an_event(name, units, at=at.isoformat()) for name, (at, units) in moments.items()))
    assert (await used(db, month))["api"].used == 210
    intent = await built(db, month)
    assert isinstance(intent, Intent)
    assert (intent.key, intent.commercial.total) == (f"invoice:sub_1:{month}", Money.parse("2.10", "USD"))
    assert GROUPS[group].ends_at(month) == after


MOMENTS: Final = {
    # a moment (UTC) and the month that it is in: Auckland, Kolkata, Berlin, Los Angeles
    "2025-10-31T10:59:59.999999Z": ("2025-10", "2025-10", "2025-10", "2025-10"),
    "2025-10-31T11:00:00Z": ("2025-11", "2025-10", "2025-10", "2025-10"),
    "2025-10-31T18:30:00Z": ("2025-11", "2025-11", "2025-10", "2025-10"),
    "2025-10-31T23:00:00Z": ("2025-11", "2025-11", "2025-11", "2025-10"),
    "2025-11-01T07:00:00Z": ("2025-11", "2025-11", "2025-11", "2025-11"),
}


async def test_one_moment_is_in_another_month_for_each_group_and_each_bills_its_own_alone(db: Database) -> None:
    groups = ("nz", "india", "europe", "us-west")
    for group in groups:
        await with_subscription(db, f"sub_{group}", billing_group=group)
    for place, at in enumerate(MOMENTS):
        await tell(
            db,
            *(an_event(f"{group}{place}", str(10**place), at=at, subscription_id=f"sub_{group}") for group in groups),
        )
    for number, group in enumerate(groups):
        for month in ("2025-10", "2025-11"):
            async with db.transaction() as s:
                page = await active_page(s, group, month)
                assert [one.id for one in page] == [f"sub_{group}"]
                await usage.close(s, [one.id for one in page], month)
                (intent,) = await usage.build(s, page, month, AT)
            assert isinstance(intent, Intent)
            units = sum(10**place for place, months in enumerate(MOMENTS.values()) if months[number] == month)
            assert intent.commercial.total == Money(minor=units, currency="USD"), (group, month)


async def test_the_repeated_hour_of_a_clock_change_counts_twice_as_long_and_once_each(db: Database) -> None:
    """Berlin, 26 October 2025: 02:30 comes at 00:30 UTC and again at 01:30 UTC."""
    await with_subscription(db)
    hours = [datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    await tell(db, *(an_event(f"e{at.hour}", "7", at=at.isoformat()) for at in hours))
    local = [an_event("e0", "7", at="2025-10-26T02:30:00+02:00"), an_event("e1", "7", at="2025-10-26T02:30:00+01:00")]
    assert [one.status.value for one in await tell(db, *local)] == ["known", "known"]
    assert (await used(db, "2025-10"))["api"].used == 14
