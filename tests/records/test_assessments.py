"""Recorded assessments, read again in the order of time; and what a subscription's usage came to before."""

from datetime import timedelta

from billing.assessment import Assessment
from billing.intent import Motion, Source
from billing.record import CaseRecord, Status
from records import assessments, invoices, known
from records.intents import register
from records.session import Database
from tests.records.make import AT, a_record, an_intent, with_customer, with_intent

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
        key = f"invoice:n:{number}"
        source = Source(event_id="e", occurred_at=AT, scope=scope)
        async with db.transaction() as s:
            await register(s, an_intent(key, motion=motion, source=source))
            await invoices.save_record(s, a_record(key=key, total_minor=100 + number, currency=currency, status=status))
    async with db.session() as s:
        found = await known.history(s, "acme", excluding="invoice:n:9", scope="sub_1", currency="USD")
        assert found.usage_minor == (101, 100)
        without = await known.history(s, "acme", excluding="invoice:n:1", scope="sub_1", currency="USD")
        assert without.usage_minor == (100,)
        assert (await known.history(s, "acme")).usage_minor == ()
