"""Recorded assessments, read again in the order of time; and what a subscription's usage came to before."""

from datetime import timedelta

from billing.assessment import Assessment
from billing.intent import Motion, Source
from billing.record import CaseRecord, Status
from records import assessments, invoices, known
from records.intents import register
from records.session import Database
from tests.records.make import AT, a_record, an_intent, with_customer, with_intent
from tests.records.metered import with_subscription

FOUND = Assessment(automatic=True, policy_hash="h")


async def test_an_invoice_s_first_assessment_is_read_with_the_changes_that_came_later(db: Database) -> None:
    await with_intent(db)
    await with_intent(db, "invoice:p:2")
    case = CaseRecord(id="cr_1", version=1, opened_at=AT + timedelta(days=4000), deadline=AT, owner="o", message="m")
    async with db.transaction() as s:
        for key, revision in (("invoice:project_1:milestone_1", "r1"), ("invoice:p:2", "r1")):
            await invoices.save_assessment(s, key, revision, FOUND)
        await invoices.save_record(s, a_record(cases=(case,)))
    async with db.transaction() as s:
        await invoices.save_assessment(s, "invoice:p:2", "r2", FOUND)
    async with db.session() as s:
        seen = [(one.key, one.changes_later) async for one in assessments.since(s, AT - timedelta(days=1))]
        later = [one async for one in assessments.since(s, AT + timedelta(days=36500))]
    assert sorted(seen) == [("invoice:p:2", 0), ("invoice:project_1:milestone_1", 1)]
    assert later == []


async def test_the_last_usage_totals_are_of_that_subscription_and_currency_alone(db: Database) -> None:
    await with_customer(db)
    for number, (scope, currency, motion, status) in enumerate(
        [("sub_1", "USD", Motion.USAGE, Status.BILLED), ("sub_1", "USD", Motion.USAGE, Status.SENT),
         ("sub_2", "USD", Motion.USAGE, Status.SENT), ("sub_1", "EUR", Motion.USAGE, Status.SENT),
         ("sub_1", "USD", Motion.OVERAGE, Status.SENT), ("sub_1", "USD", Motion.USAGE, Status.DRAFTING),
         ("sub_1", "USD", Motion.USAGE, Status.CANCELLED)]
    ):  # fmt: skip
        key = f"invoice:{scope}:2026-{number + 1:02}"
        source = Source(event_id="e", occurred_at=AT, scope=scope)
        async with db.transaction() as s:
            await register(s, an_intent(key, motion=motion, source=source))
            await invoices.save_record(s, a_record(key=key, total_minor=100 + number, currency=currency, status=status))
    async with db.session() as s:
        found = await known.history(s, "acme", excluding="invoice:sub_1:2026-09", scope="sub_1", currency="USD")
        assert found.usage_minor == (101, 100)
        without = await known.history(s, "acme", excluding="invoice:sub_1:2026-02", scope="sub_1", currency="USD")
        assert without.usage_minor == (100,)
        assert (await known.history(s, "acme")).usage_minor == ()


async def test_usage_is_compared_with_the_months_before_whenever_they_were_billed(db: Database) -> None:
    """October was billed before July was caught up: neither order of billing makes a later month an earlier one."""
    subscription = await with_subscription(db)
    for month, total in (("2026-09", 900), ("2026-10", 1000), ("2026-07", 700), ("2026-08", 800)):
        key = f"invoice:sub_1:{month}"
        source = Source(event_id="e", occurred_at=AT, scope="sub_1")
        async with db.transaction() as s:
            await register(s, an_intent(key, motion=Motion.USAGE, source=source))
            await invoices.save_record(s, a_record(key=key, total_minor=total, status=Status.SENT))
    async with db.session() as s:
        for month, before in (("2026-11", (1000, 900, 800, 700)), ("2026-09", (800, 700)), ("2026-07", ())):
            key = f"invoice:sub_1:{month}"
            found = await known.history(s, "acme", excluding=key, scope="sub_1", currency="USD")
            assert found.usage_minor == before, month
            planned = await known.of(s, [subscription], 2, month)
            assert planned["sub_1"].usage_minor == before[:2], month


async def test_the_policy_is_told_the_currency_of_the_customer_s_record(db: Database) -> None:
    await with_customer(db)
    async with db.session() as s:
        assert (await known.history(s, "acme")).currency == "USD"
        assert (await known.history(s, "nobody")).currency == ""
