"""Overages: an invoice of their own, once a month and meter, and no unit of it on the month's own invoice again."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing.intent import Intent, Motion
from billing.money import Money
from billing.motions import parse_trigger
from billing.record import Status
from billing.usage import Metered
from records import intents
from records.customers import CustomerBody, put_customer
from records.invoices import save_record
from records.metering import Became, take
from records.session import Database
from records.sql import table
from records.tables import IntentRow
from tests.records.make import a_record
from tests.records.metered import (
    GROUPS,
    NOW,
    OVERAGE,
    an_event,
    built,
    close,
    tell,
    tell_all,
    used,
    with_subscription,
)


async def registered(db: Database) -> dict[str, Intent]:
    async with db.session() as s:
        keys = (await s.execute(select(table(IntentRow).c.key))).scalars().all()
        return {key: found for key in keys if (found := await intents.get_intent(s, key))}


KEY = "invoice:sub_1:overage:2026-10:api"


async def test_passing_what_is_included_starts_one_invoice_and_the_month_bills_the_rest(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE])
    _, keys = await tell_all(db, [an_event("e1", "100")])
    assert keys == []
    _, keys = await tell_all(db, [an_event("e2", "10"), an_event("e3", "2")])
    assert keys == [KEY]
    _, keys = await tell_all(db, [an_event("e4", "50"), an_event("e2", "10")])
    assert keys == []
    by_itself = (await registered(db))[KEY]
    assert by_itself.commercial.total == Money.parse("6.00", "USD")
    assert by_itself.commercial.lines[0].quantity == 12
    month = await built(db, "2026-10")
    assert isinstance(month, Intent)
    (line,) = month.commercial.lines
    assert line.quantity == 50
    assert line.description == "api, 2026-10: 162 used, 100 included, 12 billed as overage"


async def test_an_overage_waits_for_as_many_units_as_the_plan_says(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE | {"overage_after": "50"}])
    assert (await tell_all(db, [an_event("e1", "150")]))[1] == []
    assert (await tell_all(db, [an_event("e2", "0.000001")]))[1] == [KEY]


async def test_a_plan_that_does_not_ask_for_it_has_no_overage_invoice(db: Database) -> None:
    await with_subscription(db, charges=[{**OVERAGE, "overage": "run"}])
    assert (await tell_all(db, [an_event("e1", "500")]))[1] == []
    assert await registered(db) == {}
    month = await built(db, "2026-10")
    assert isinstance(month, Intent)
    assert month.commercial.total == Money.parse("200.00", "USD")


async def test_each_month_and_each_meter_has_an_overage_of_its_own(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE, OVERAGE | {"meter": "gb"}])
    events = [
        an_event("1", "101"),
        an_event("2", "101", meter="gb"),
        an_event("3", "101", at="2026-11-02T00:00:00Z"),
    ]
    _, keys = await tell_all(db, events)
    assert sorted(keys) == [
        "invoice:sub_1:overage:2026-10:api",
        "invoice:sub_1:overage:2026-10:gb",
        "invoice:sub_1:overage:2026-11:api",
    ]


async def test_many_who_pass_it_at_once_start_one_invoice_and_no_unit_is_billed_twice_or_left(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE])
    await tell(db, an_event("e", "95"))
    found = await asyncio.gather(*(tell_all(db, [an_event(f"e{n}", "1.5")]) for n in range(20)))
    assert [key for _, keys in found for key in keys] == [KEY]
    by_itself, month = (await registered(db))[KEY], await built(db, "2026-10")
    assert isinstance(month, Intent)
    billed = by_itself.commercial.lines[0].quantity + month.commercial.lines[0].quantity
    assert billed == Decimal(125) - 100


async def test_a_crash_before_the_commit_leaves_neither_usage_nor_invoice_and_after_it_both(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE])
    event = an_event("e1", "150")

    async def crashing() -> None:
        async with db.transaction() as s:
            assert (await take(s, [event], GROUPS, NOW))[1] == [KEY]
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await crashing()
    assert (await used(db, "2026-10"), await registered(db)) == ({}, {})
    assert (await tell_all(db, [event]))[1] == [KEY]
    async with db.session() as s:
        assert [one.key for one in await intents.unstarted(s, 10)] == [KEY]


async def test_an_overage_that_was_triggered_by_hand_counts_as_it_was_billed(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE])
    body = {
        "event_id": "by hand", "occurred_at": "2026-10-20T00:00:00Z", "customer_id": "acme", "currency": "USD",
        "subscription_id": "sub_1", "period": "2026-10", "meter": "api", "quantity": "30", "unit_price": "0.50",
    }  # fmt: skip
    async with db.transaction() as s:
        await intents.register(s, parse_trigger(Motion.OVERAGE, body))
    assert (await tell_all(db, [an_event("e1", "150")]))[1] == []
    month = await built(db, "2026-10")
    assert isinstance(month, Intent)
    assert month.commercial.lines[0].quantity == 20


@pytest.mark.parametrize("changes", [{"customer_id": "globex"}, {"currency": "EUR"}])
async def test_what_stands_under_its_key_for_another_takes_no_unit_from_the_month(
    db: Database, changes: dict[str, str]
) -> None:
    await with_subscription(db, charges=[OVERAGE])
    globex = CustomerBody.model_validate({"name": "Globex", "email": "ap@globex.example", "currency": "USD"})
    async with db.transaction() as s:
        await put_customer(s, "globex", globex)
    body = {
        "event_id": "by hand", "occurred_at": "2026-10-20T00:00:00Z", "customer_id": "acme", "currency": "USD",
        "subscription_id": "sub_1", "period": "2026-10", "meter": "api", "quantity": "1000000", "unit_price": "0.50",
    }  # fmt: skip
    async with db.transaction() as s:
        await intents.register(s, parse_trigger(Motion.OVERAGE, body | changes))
    assert (await tell_all(db, [an_event("e1", "150")]))[1] == []
    month = await built(db, "2026-10")
    assert isinstance(month, Intent)
    assert month.commercial.lines[0].quantity == 50


@pytest.mark.parametrize("end", [Status.REJECTED, Status.CANCELLED])
async def test_what_an_overage_that_is_given_up_would_have_billed_the_open_month_bills(
    db: Database, end: Status
) -> None:
    await with_subscription(db, charges=[OVERAGE])
    await tell_all(db, [an_event("e1", "112")])
    await _ended(db, end)
    assert (await used(db, "2026-10"))["api"].as_overage == 0
    await close(db, "2026-10")
    month = await built(db, "2026-10")
    assert isinstance(month, Intent)
    assert month.commercial.lines[0].quantity == 12


async def test_a_closed_month_bills_the_same_whatever_becomes_of_its_overage(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE])
    await tell_all(db, [an_event("e1", "112"), an_event("e2", "5")])
    await tell_all(db, [an_event("e3", "5")])
    await close(db, "2026-10")
    before = await built(db, "2026-10")
    await _ended(db, Status.REJECTED)
    await close(db, "2026-10")
    assert await built(db, "2026-10") == before


async def _ended(db: Database, end: Status) -> None:
    async with db.transaction() as s:
        await save_record(s, a_record(1, end, key=KEY))


async def test_late_usage_passes_what_the_month_that_bills_it_includes(db: Database) -> None:
    await with_subscription(db, charges=[OVERAGE])
    await tell(db, an_event("oct", "90"))
    await close(db, "2026-10")
    await tell(db, an_event("nov", "90", at="2026-11-02T00:00:00Z"))
    answers, keys = await tell_all(db, [an_event("late", "20")])
    assert (answers[0].status, keys) == (Became.LATE, ["invoice:sub_1:overage:2026-11:api"])
    assert (await used(db, "2026-11"))["api"] == Metered(
        used=Decimal(110), late={"2026-10": Decimal(20)}, as_overage=Decimal(10)
    )
