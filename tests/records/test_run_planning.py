"""A month's plan on both databases: what the run will build, judged as its invoices will be, with nothing touched."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.groups import BillingGroup
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.ownership import Carry
from billing.policy import Policy
from billing.queues import Queue
from billing.record import CaseRecord, Status
from billing.run_plan import RunPlan
from records import customers, intents, invoices, known, usage
from records.customers import CustomerBody, put_customer, store_recipient_fields
from records.metering import take
from records.session import Database
from records.subscriptions import get_subscription, page_by_customer, put_subscription
from starter import run_planning
from starter.run_planning import RunPlanner
from tests.records.make import AT, a_record
from tests.records.metered import GROUPS, NOW, a_body, an_event, sums

EUROPE = GROUPS["europe"]
POLICY = Policy.parse('[thresholds]\ndefault = "50.00"\n')


@dataclass
class World:
    """Customers with subscriptions of one meter at 0.01 a unit, and what they used."""

    db: Database

    async def customer(self, name: str, segment: str = "standard") -> None:
        body = {"name": name, "email": "ap@a.example", "segment": segment, "currency": "USD"}
        async with self.db.transaction() as s:
            await put_customer(s, name, CustomerBody.model_validate(body))

    async def subscription(self, name: str, customer: str, used: str = "0", **changes: Any) -> None:
        async with self.db.transaction() as s:
            await put_subscription(s, name, a_body(customer_id=customer, **changes))
            if used != "0":
                await take(s, [an_event(f"{name}-e", used, subscription_id=name)], GROUPS, NOW)

    async def invoiced(
        self, name: str, customer: str, period: str, price: str, status: Status | None = Status.SENT, **changes: Any
    ) -> None:
        """Its usage invoice of `period`."""
        key = f"invoice:{name}:{period}"
        line = Line(description="api", quantity=Decimal(1), unit_price=Decimal(price))
        commercial = Commercial(currency=changes.pop("currency", "USD"), lines=(line,))
        source = Source(event_id="e", occurred_at=AT, scope=name)
        intent = Intent(key=key, motion=changes.pop("motion", Motion.USAGE), customer_id=customer,
                        commercial=commercial, source=source)  # fmt: skip
        async with self.db.transaction() as s:
            await intents.register(s, intent)
            if status is not None:
                total = commercial.total
                record = a_record(key=key, status=status, total_minor=total.minor, currency=total.currency, **changes)
                await invoices.save_record(s, record)

    async def plan(self, group: BillingGroup = EUROPE, period: str = "2026-10", **more: Any) -> RunPlan:
        planner = RunPlanner(self.db, POLICY, carry=Carry.CUSTOMER, rates=more.pop("rates", {}))
        return await planner.plan(group, period, more.pop("now", NOW), **more)


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


async def test_a_plan_says_what_the_run_will_start_who_must_look_what_stands_and_what_is_left_out(world: World) -> None:
    for name, segment in (("acme", "standard"), ("big", "enterprise"), ("other", "standard")):
        await world.customer(name, segment)
    await world.subscription("s1", "acme", "1000")
    await world.subscription("s2", "acme", "9000")
    await world.subscription("s3", "big", "2000")
    await world.subscription("s4", "other")
    await world.subscription("s5", "other", "500")
    await world.subscription("s6", "other", "100000", charges=[_costing("999999999999")])
    await world.subscription("s7", "other", "800")
    await world.subscription("ended", "other", ended_on="2026-09-30")
    await world.subscription("nz", "other", "700", billing_group="nz")
    await world.invoiced("s5", "other", "2026-10", "7.00")
    await world.invoiced("s7", "other", "2026-10", "9.00", motion=Motion.MILESTONE)
    plan = await world.plan()
    assert (plan.subscriptions, plan.is_over) == (7, True)
    assert (plan.new.count, plan.new.amounts) == (3, {"USD": "120.00"})
    assert [one.subscription_id for one in plan.new.named] == ["s1", "s2", "s3"]
    assert {one.subscription_id: one.text for one in plan.asks.named} == {
        "s2": "The total of 90.00 USD is over 50.00 USD, the most that goes out without a person's look.",
        "s3": "This is the first invoice to an enterprise customer.",
    }
    assert plan.asks_by_rule == {"over_threshold": 1, "first_enterprise_invoice": 1}
    assert (plan.standing.count, plan.standing.amounts) == (1, {"USD": "7.00"})
    assert [(one.reason, one.count, one.for_example) for one in plan.skipped] == [("nothing to bill was used", 1, "s4")]
    refused = {one.subscription_id: one.text for one in plan.refused.named}
    assert refused.keys() == {"s6", "s7"}
    assert refused["s6"].startswith("line_items: they sum to")
    assert "already used by motion 'milestone'" in refused["s7"]


def _costing(price: str) -> dict[str, str]:
    return {"meter": "api", "model": "per_unit", "unit_price": price}


async def test_a_plan_touches_nothing(world: World) -> None:
    await world.customer("acme")
    await world.subscription("s1", "acme", "1000")
    first = await world.plan()
    async with world.db.session() as s:
        assert await usage.closed(s, ["s1"], "2000-01") == set()
        assert await intents.known(s, ["invoice:s1:2026-10"]) == set()
        assert await sums(s) == {("s1", "api", "2026-10"): 1_000_000_000}
    assert await world.plan() == first


async def test_last_month_is_compared_by_customer_and_currency_with_those_who_are_gone(world: World) -> None:
    for name in ("acme", "gone", "new"):
        await world.customer(name)
    await world.subscription("s1", "acme", "1000")
    await world.subscription("s2", "acme", "500", currency="EUR")
    await world.subscription("s3", "gone", ended_on="2026-09-30")
    await world.subscription("s4", "new", "100")
    await world.invoiced("s1", "acme", "2026-09", "25.00")
    await world.invoiced("s2", "acme", "2026-09", "5.00", currency="EUR", status=None)
    await world.invoiced("s3", "gone", "2026-09", "3.00")
    await world.invoiced("s1", "acme", "2026-08", "999.00")
    euro, dollar = (await world.plan()).changes
    assert (euro.currency, euro.before, euro.now, euro.same) == ("EUR", "5.00", "5.00", 1)
    assert (dollar.before, dollar.now, dollar.difference) == ("28.00", "11.00", "-17.00")
    assert [(one.customer_id, one.before, one.now) for one in dollar.largest] == [
        ("acme", "25.00", "10.00"), ("gone", "3.00", "0.00"), ("new", "0.00", "1.00"),
    ]  # fmt: skip


async def test_an_invoice_that_a_recipient_had_changed_is_compared_by_what_it_comes_to_now(world: World) -> None:
    await world.customer("acme")
    await world.subscription("s1", "acme", "1000")
    await world.invoiced("s1", "acme", "2026-09", "25.00")
    async with world.db.transaction() as s:
        record = a_record(2, key="invoice:s1:2026-09", total_minor=1000, version=2)
        await invoices.save_record(s, record)
    (dollar,) = (await world.plan()).changes
    assert (dollar.before, dollar.now, dollar.same) == ("10.00", "10.00", 1)


async def test_the_rules_that_look_back_are_asked_as_the_invoice_will_ask_them(world: World) -> None:
    await world.customer("acme")
    await world.customer("asks")
    await world.subscription("s1", "acme", "4000")
    await world.subscription("s2", "asks", "1000")
    for month in ("2026-07", "2026-08", "2026-09"):
        await world.invoiced("s1", "acme", month, "10.00")
        await world.invoiced("s2", "asks", month, "10.00")
    case = CaseRecord(id="cr", version=1, opened_at=NOW - timedelta(days=3), deadline=NOW, owner="o", message="m")
    async with world.db.transaction() as s:
        await invoices.save_record(s, a_record(2, key="invoice:s2:2026-09", total_minor=1000, cases=(case,)))
    plan = await world.plan()
    assert plan.asks_by_rule == {"change_history": 1, "usage_variance": 1}
    assert {one.subscription_id for one in plan.asks.named} == {"s1", "s2"}


async def test_many_histories_at_once_are_what_each_invoice_will_be_told(world: World) -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    await world.customer("acme")
    await world.customer("big", "enterprise")
    for customer in ("acme", "big"):
        for number in range(2):
            name = f"{customer}-{number}"
            await world.subscription(name, customer)
            await world.invoiced(name, customer, "2026-06", f"{number + 1}.00", status=Status.CANCELLED)
            await world.invoiced(name, customer, "2026-07", f"{number + 1}.00", currency="EUR")
            await world.invoiced(name, customer, "2026-08", f"{number + 2}.00", status=Status.BILLED)
            await world.invoiced(name, customer, "2026-09", f"{number + 3}.00", status=Status.DRAFTING)
            await world.invoiced(name, customer, "2026-05", "9.00", motion=Motion.OVERAGE)
            case = CaseRecord(
                id=name, version=1, opened_at=at + timedelta(days=number), deadline=at, owner="o", message=""
            )
            async with world.db.transaction() as s:
                await invoices.save_record(s, a_record(2, key=f"invoice:{name}:2026-08", total_minor=77, cases=(case,)))
    async with world.db.session() as s:
        page = await page_by_customer(s, "europe")
        assert [one.id for one in page] == ["acme-0", "acme-1", "big-0", "big-1"]
        found = await known.of(s, page, 36, "2026-10")
        for one in page:
            key = f"invoice:{one.id}:2026-10"
            alone = await known.history(s, one.customer_id, excluding=key, scope=one.id, currency=one.currency)
            assert found[one.id] == alone
            assert alone.usage_minor == (77,)
            assert len(alone.change_requests) == 2


@pytest.mark.parametrize("carry", list(Carry))
async def test_a_draft_is_patched_where_the_next_invoice_carries_something(world: World, carry: Carry) -> None:
    for name in ("acme", "entity", "none"):
        await world.customer(name)
        for number in range(2):
            await world.subscription(f"{name}-{number}", name, "100")
    async with world.db.transaction() as s:
        await store_recipient_fields(s, "acme", "acme-0", {"po_number": ("PO-1", AT)})
        await store_recipient_fields(s, "entity", "entity-0", {"billing_entity": ("Entity Ltd", AT)})
        await store_recipient_fields(s, "none", "none-0", {"tax_id": ("", AT)})
    async with world.db.session() as s:
        page = await page_by_customer(s, "europe")
        found = await known.carrying(s, page, carry)
        alone = {one.id for one in page if await customers.carry_forward(s, one.customer_id, one.id, carry)}
    assert found == alone
    with_po = {Carry.CUSTOMER: {"acme-0", "acme-1"}, Carry.SOURCE: {"acme-0"}, Carry.NEVER: set[str]()}
    assert found == with_po[carry] | {"entity-0", "entity-1"}


async def test_the_time_comes_from_the_provider_s_limit_and_the_steps_of_these_invoices(world: World) -> None:
    await world.customer("acme")
    await world.customer("gave")
    await world.subscription("s1", "acme", "1000")
    await world.subscription("s2", "acme", "9000")
    await world.subscription("s3", "gave", "1000")
    async with world.db.transaction() as s:
        await store_recipient_fields(s, "gave", "s3", {"tax_id": ("DE1", AT)})
    plan = await world.plan(rates={Queue.JUPITER: 0.5})
    assert plan.pace.steps == {"jupiter": 2 + 1 + 3, "mail": 3}
    assert (plan.pace.seconds, plan.pace.bound_by) == (12, "jupiter")
    assert (await world.plan()).pace.seconds is None


async def test_a_month_that_is_not_over_says_until_when_and_months_never_run_are_named(world: World) -> None:
    await world.customer("acme")
    await world.subscription("s1", "acme", "1000")
    plan = await world.plan(period="2026-11")
    assert (plan.is_over, plan.month_ends_at) == (False, datetime(2026, 11, 30, 23, 0, tzinfo=UTC))
    assert plan.unbilled == {"2026-10": 1}
    assert plan.unbilled_is_all
    nz = await world.plan(GROUPS["nz"], now=datetime(2026, 10, 31, 11, 0, tzinfo=UTC))
    assert (nz.is_over, nz.subscriptions) == (True, 0)


async def test_a_month_that_is_not_over_is_not_advised_to_be_run(world: World) -> None:
    await world.customer("acme")
    await world.subscription("s1", "acme", "1000")
    before = datetime(2026, 10, 31, 22, 59, tzinfo=UTC)
    assert (await world.plan(period="2026-11", now=before)).unbilled == {}
    assert (await world.plan(period="2026-11", now=before + timedelta(minutes=1))).unbilled == {"2026-10": 1}


async def test_each_subscription_is_read_once_however_small_the_pages_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for customer in ("b", "a"):
        await world.customer(customer)
        for number in range(4):
            await world.subscription(f"{customer}{number}", customer, "100")
    whole = await world.plan()
    monkeypatch.setattr(run_planning, "_PAGE", 3)
    read: list[int] = []
    assert await world.plan(told=read.append) == whole
    assert read == [3, 6, 8]
    async with world.db.session() as s:
        assert (await get_subscription(s, "a0")) is not None
        assert whole.new.count == 8
