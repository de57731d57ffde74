"""Whether a trigger's times can be meant: refused by name with the next step, and nothing that somebody may mean."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.errors import BadInput
from billing.timely import CLOCKS_DIFFER, check_due, check_times
from tests.records.make import an_intent

NOW = datetime(2026, 11, 26, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize("due_date", [None, date(2026, 11, 25), date(2026, 11, 26), date(2027, 1, 1)])
def test_a_day_that_is_not_over_in_every_zone_can_be_a_due_date(due_date: date | None) -> None:
    """At 11:00 UTC on the 26th it is still the 25th in the last zone, and there one can pay by it."""
    check_due(due_date, NOW)


@pytest.mark.parametrize(("due_date", "now"), [
    (date(2026, 11, 24), NOW),
    (date(2026, 11, 25), NOW + timedelta(hours=1)),
])  # fmt: skip
def test_a_day_that_is_over_everywhere_is_refused_with_the_next_step(due_date: date, now: datetime) -> None:
    with pytest.raises(BadInput) as refused:
        check_due(due_date, now)
    assert refused.value.field == "due_date"
    assert f"{due_date} is over" in refused.value.cause
    assert "leave it out" in refused.value.next_step


def test_what_occurred_a_little_ahead_is_a_clock_and_more_is_refused() -> None:
    intent = an_intent()
    at = intent.source.occurred_at
    check_times(intent, at - CLOCKS_DIFFER)
    with pytest.raises(BadInput) as refused:
        check_times(intent, at - CLOCKS_DIFFER - timedelta(seconds=1))
    assert refused.value.field == "occurred_at"
    assert "in the future" in refused.value.cause
    assert "clock" in refused.value.next_step
