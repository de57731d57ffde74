"""Subscriptions and usage for the tests of what is metered."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from billing.groups import BillingGroup
from billing.intent import Intent
from billing.metering import UsageEvent
from billing.plans import Subscription, SubscriptionBody
from billing.usage import Metered, Skipped
from records import subscriptions, usage
from records.metering import Taken, take
from records.session import Database
from records.sql import table
from records.subscriptions import put_subscription
from records.usage_tables import UsageEventRow, UsageTotalRow
from tests.records.make import with_customer

GROUPS: Final = {
    name: BillingGroup(name=name, zone=zone)
    for name, zone in {
        "europe": "Europe/Berlin",
        "nz": "Pacific/Auckland",
        "us-west": "America/Los_Angeles",
        "india": "Asia/Kolkata",
    }.items()
}
NOW: Final = datetime(2026, 11, 26, tzinfo=UTC)
_E, _T = table(UsageEventRow), table(UsageTotalRow)


def a_body(**changes: Any) -> SubscriptionBody:
    body = {
        "customer_id": "acme",
        "billing_group": "europe",
        "currency": "USD",
        "started_on": "2024-01-01",
        "charges": [{"meter": "api", "model": "per_unit", "unit_price": "0.01"}],
    }
    return SubscriptionBody.model_validate(body | changes)


OVERAGE: Final = {
    "meter": "api",
    "model": "per_unit",
    "unit_price": "0.50",
    "included": "100",
    "overage": "invoice",
}


async def with_subscription(db: Database, name: str = "sub_1", **changes: Any) -> Subscription:
    await with_customer(db)
    async with db.transaction() as s:
        return await put_subscription(s, name, a_body(**changes))


def an_event(name: str, quantity: str = "1", at: str = "2026-10-14T12:00:00Z", **changes: Any) -> UsageEvent:
    body = {"event_id": name, "subscription_id": "sub_1", "meter": "api", "quantity": quantity, "at": at}
    return UsageEvent.of(body | changes)


async def tell(db: Database, *events: UsageEvent) -> list[Taken]:
    return (await tell_all(db, events))[0]


async def tell_all(db: Database, events: Sequence[UsageEvent]) -> tuple[list[Taken], list[str]]:
    """In one transaction, as one request does."""
    async with db.transaction() as s:
        return await take(s, events, GROUPS, NOW)


async def sums(s: AsyncSession) -> dict[tuple[str, str, str], int]:
    """Per subscription, meter and billed month what the kept sums say, in millionths."""
    rows = select(_T.c.subscription_id, _T.c.meter, _T.c.billed_in, _T.c.quantity)
    found: Counter[tuple[str, str, str]] = Counter()
    for one, meter, period, quantity in await s.execute(rows):
        found[one, meter, period] += quantity
    return dict(found)


async def drift(s: AsyncSession) -> list[Any]:
    """Where the kept sums are not those of the events; empty when all is well."""
    columns = ("subscription_id", "billed_in", "meter", "used_in")
    places = [[t.c[name].label(name) for name in columns] for t in (_E, _T)]
    both = union_all(
        select(*places[0], _E.c.quantity.label("told"), literal(0).label("kept")),
        select(*places[1], literal(0).label("told"), _T.c.quantity.label("kept")),
    ).subquery()
    told, kept = func.sum(both.c.told), func.sum(both.c.kept)
    by = [both.c[name] for name in columns]
    return list((await s.execute(select(*by, told, kept).group_by(*by).having(told != kept))).all())


AT: Final = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
# When the month is run.


async def used(db: Database, period: str, name: str = "sub_1") -> dict[str, Metered]:
    async with db.session() as s:
        return dict((await usage.used(s, [name], period)).get(name, {}))


async def close(db: Database, period: str, *names: str) -> None:
    async with db.transaction() as s:
        await usage.close(s, names or ["sub_1"], period)


async def built(db: Database, period: str, name: str = "sub_1") -> Intent | Skipped:
    async with db.session() as s:
        found = await subscriptions.get_subscription(s, name)
        assert found is not None
        return (await usage.build(s, [found], period, AT))[0]
