"""A page of a monthly run on both databases: closed, built and registered together, and again without any change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.intent import Motion
from billing.record import Status
from billing.run_status import Outcome, RunStatus
from records import intents, invoices, run_status, runs, subscriptions, usage
from records.runs import Made, Run
from records.session import Database
from records.subscriptions import put_subscription
from tests.records.make import a_record, an_intent
from tests.records.metered import a_body, an_event, sums, tell, with_subscription

AT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
RUN = Run(group="europe", period="2026-10", id="run-1", by="schedule", at=AT)
DEAR = {"meter": "api", "model": "per_unit", "unit_price": "999999999999"}


async def begun(db: Database, run: Run = RUN) -> None:
    async with db.transaction() as s:
        await runs.begin(s, run)


async def page(db: Database, after: str = "", limit: int = 10, run: Run = RUN, held_ms: int = 0) -> list[Made]:
    async with db.transaction() as s:
        return await runs.take_page(s, run, after, limit, held_ms)


async def told(db: Database, period: str = "2026-10", at: datetime = LATER) -> RunStatus:
    async with db.session() as s:
        found = await run_status.status(s, "europe", period, at)
    assert found is not None
    return found


async def started(db: Database, *names: str) -> None:
    async with db.transaction() as s:
        for name in names:
            await intents.mark_started(s, f"invoice:{name}:2026-10")


async def fares(db: Database, name: str, status: Status, **changes: Any) -> None:
    async with db.transaction() as s:
        await invoices.save_record(s, a_record(key=f"invoice:{name}:2026-10", status=status, **changes))


@pytest.fixture
async def three(db: Database) -> Database:
    """One to bill, one that used nothing, one whose total is too large."""
    for name, used, changes in (("s1", "1000", {}), ("s2", "", {}), ("s3", "1000000", {"charges": [DEAR]})):
        await with_subscription(db, name, **changes)
        if used:
            await tell(db, an_event(name, used, subscription_id=name))
    await begun(db)
    return db


async def test_one_that_is_refused_and_one_that_is_skipped_are_told_with_their_reasons_and_stop_nobody(
    three: Database,
) -> None:
    made = await page(three)
    assert [(one.subscription_id, one.outcome) for one in made] == [
        ("s1", Outcome.BILLED), ("s2", Outcome.SKIPPED), ("s3", Outcome.REFUSED),
    ]  # fmt: skip
    found = await told(three)
    assert (found.expected, found.read, found.billed, found.total_minor) == (3, 3, 1, {"USD": 1000})
    assert [(one.reason, one.count, one.for_example) for one in found.skipped] == [
        ("nothing to bill was used", 1, "s2")
    ]
    [refused] = found.refused.named
    assert (refused.subscription_id, refused.customer_id) == ("s3", "acme")
    assert refused.text.startswith("line_items: they sum to")
    async with three.session() as s:
        assert await usage.closed(s, ["s1", "s2", "s3"], "2026-10") == {(one, "2026-10") for one in ("s1", "s2", "s3")}


async def test_what_comes_after_a_page_goes_into_the_next_month_and_a_repeat_registers_nothing_twice(
    three: Database,
) -> None:
    first = await page(three)
    await tell(three, an_event("late", "500", subscription_id="s1"))
    assert await page(three) == first
    found = await told(three)
    assert (found.read, found.billed, found.total_minor) == (3, 1, {"USD": 1000})
    async with three.session() as s:
        assert (await sums(s))["s1", "api", "2026-11"] == 500_000_000


async def test_a_plan_that_was_mended_is_billed_by_the_run_of_the_same_month_and_the_rest_is_left(
    three: Database,
) -> None:
    await page(three)
    async with three.transaction() as s:
        await put_subscription(s, "s3", a_body())
        await put_subscription(s, "s1", a_body(charges=[DEAR]))
    again = Run(group="europe", period="2026-10", id="run-2", by="dana", at=LATER)
    await begun(three, again)
    made = await page(three, run=again)
    assert [one.outcome for one in made] == [Outcome.BILLED, Outcome.SKIPPED, Outcome.BILLED]
    found = await told(three, at=LATER + timedelta(hours=1))
    assert (found.started_by, found.billed, found.refused.count) == ("dana", 2, 0)
    assert found.total_minor == {"USD": 1000 + 1_000_000}


async def test_a_month_that_is_run_again_keeps_who_ran_it_before_and_how_far_that_came(three: Database) -> None:
    await page(three)
    async with three.transaction() as s:
        await runs.finish(s, RUN)
    finished = (await told(three)).finished_at
    for number, by in ((2, "dana"), (3, "robin")):
        again = Run(group="europe", period="2026-10", id=f"run-{number}", by=by, at=AT + timedelta(days=number))
        for _ in range(2):
            await begun(three, again)
    found = await told(three, at=AT + timedelta(days=4))
    assert (found.started_by, found.read) == ("robin", 0)
    assert [(one.started_by, one.started_at, one.read, one.expected) for one in found.earlier] == [
        ("schedule", AT, 3, 3), ("dana", AT + timedelta(days=2), 0, 3),
    ]  # fmt: skip
    assert [one.finished_at for one in found.earlier] == [finished, None]


async def test_a_key_that_another_motion_has_is_refused(db: Database) -> None:
    await with_subscription(db, "s1")
    await tell(db, an_event("e", "1000", subscription_id="s1"))
    async with db.transaction() as s:
        await intents.register(s, an_intent("invoice:s1:2026-10", motion=Motion.MILESTONE))
    await begun(db)
    [made] = await page(db)
    assert (made.outcome, made.key) == (Outcome.REFUSED, None)
    assert "already used by motion 'milestone'" in made.reason


async def test_pages_follow_one_another_by_id_and_a_page_that_is_read_again_is_counted_once(db: Database) -> None:
    names = [f"s{number}" for number in range(5)]
    for name in names:
        await with_subscription(db, name)
    await with_subscription(db, "other", billing_group="nz")
    await with_subscription(db, "ended", ended_on="2026-09-30")
    await begun(db)
    first = await page(db, limit=2)
    again = await page(db, limit=2)
    second = await page(db, after="s1", limit=2, held_ms=700)
    third = await page(db, after="s3", limit=2)
    assert [one.subscription_id for one in (*first, *second, *third)] == names
    assert again == first
    assert await page(db, after="s4", limit=2) == []
    found = await told(db)
    assert (found.expected, found.read, found.held_seconds) == (5, 5, 0.7)


async def test_a_step_that_is_repeated_begins_nothing_anew_and_the_end_is_told_once(three: Database) -> None:
    await page(three)
    await begun(three)
    assert (await told(three)).read == 3
    for _ in range(2):
        async with three.transaction() as s:
            await runs.finish(s, RUN)
    finished = (await told(three)).finished_at
    assert finished is not None
    await begun(three)
    assert (await told(three)).finished_at == finished


async def test_what_is_on_its_way_is_counted_until_it_is_out_or_waits_for_a_person(db: Database) -> None:
    for name in ("s1", "s2", "s3"):
        await with_subscription(db, name)
        await tell(db, an_event(name, "100", subscription_id=name))
    await begun(db)
    await page(db)

    async def way() -> int:
        async with db.transaction() as s:
            found = await runs.on_the_way(s)
            await runs.mark_out(s)
            assert await runs.on_the_way(s) == found
        return found

    assert await way() == 3
    await started(db, "s1", "s2", "s3")
    await fares(db, "s1", Status.DRAFTING)
    await fares(db, "s2", Status.SENT)
    assert await way() == 2
    await fares(db, "s1", Status.AWAITING_APPROVAL, sequence=2)
    assert await way() == 1
    found = await told(db)
    assert (found.billed, found.started, found.on_the_way) == (3, 3, 1)
    assert found.statuses == {"awaiting_approval": 1, "not_begun": 1, "sent": 1}
    assert found.per_hour == 2


async def test_a_month_that_was_never_run_has_no_status(db: Database) -> None:
    async with db.session() as s:
        assert await run_status.status(s, "europe", "2026-10", AT) is None
        assert await run_status.latest(s, AT) == []


async def test_a_plan_that_changes_between_the_page_and_its_lock_is_billed_as_changed(
    three: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the door answered before the month was closed holds."""
    read = subscriptions.active_page

    async def slow(s: Any, *args: Any, **kwargs: Any) -> Any:
        found = await read(s, *args, **kwargs)
        await put_subscription(s, "s1", a_body(charges=[{"meter": "api", "model": "per_unit", "unit_price": "0.02"}]))
        return found

    monkeypatch.setattr(subscriptions, "active_page", slow)
    await page(three)
    assert (await told(three)).total_minor == {"USD": 2000}
