"""The test clock: months of an invoice's life without waiting for them, and a clock that was wrong."""

from datetime import UTC, datetime, timedelta

from tests.sandbox.sandbox_bench import INVOICE, Bench


async def _set(bench: Bench, moment: datetime | None) -> None:
    body = {"now": moment.isoformat() if moment else None}
    assert (await bench.client.put("/_sandbox/clock", json=body)).is_success


async def test_what_happens_is_dated_by_the_clock_that_was_set(bench: Bench) -> None:
    later = datetime.now(UTC) + timedelta(days=100)
    await _set(bench, later)
    made = (await bench.call("POST", "/invoices", INVOICE, "k1")).json()
    issued = (await bench.call("POST", f"/invoices/{made['id']}/issue", {"send": False}, "k2")).json()
    assert datetime.fromisoformat(issued["sent_at"]) >= later
    assert issued["issue_date"] >= later.date().isoformat()


async def test_a_key_forgets_after_a_day_of_that_clock(bench: Bench) -> None:
    first = (await bench.call("POST", "/invoices", INVOICE, "k1")).json()
    await _set(bench, datetime.now(UTC) + timedelta(hours=23))
    assert (await bench.call("POST", "/invoices", INVOICE, "k1")).json()["id"] == first["id"]
    await _set(bench, datetime.now(UTC) + timedelta(hours=25))
    assert (await bench.call("POST", "/invoices", INVOICE, "k1")).json()["id"] != first["id"]


async def test_a_clock_that_is_put_back_dates_what_follows_before_what_came_first(bench: Bench) -> None:
    await _set(bench, datetime.now(UTC) + timedelta(days=1))
    first = (await bench.call("POST", "/invoices", INVOICE, "k1")).json()
    await _set(bench, None)
    second = (await bench.call("POST", "/invoices", INVOICE, "k2")).json()
    assert second["created_at"] < first["created_at"]


async def test_a_clock_without_a_zone_is_refused(bench: Bench) -> None:
    answer = await bench.client.put("/_sandbox/clock", json={"now": "2026-11-01T09:00:00"})
    assert (answer.status_code, answer.json()["field"]) == (422, "now")


async def test_what_the_switches_did_is_counted_by_kind(bench: Bench) -> None:
    await bench.faults(error_rate=1)
    assert (await bench.call("POST", "/invoices", INVOICE, "k1")).status_code == 500
    await bench.faults(rate_limit_rate=1)
    assert (await bench.call("POST", "/invoices", INVOICE, "k1")).status_code == 429
    assert (await bench.client.get("/_sandbox/injected")).json() == {"error": 1, "rate_limit": 1}
