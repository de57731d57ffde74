"""Subscriptions of the firm that `seeding.py` knows, and what they used in the month that ended last."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from billing.groups import month_before
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.keys import usage_key
from billing.metering import UsageEvent
from billing.plans import SubscriptionBody
from billing.record import InvoiceRecord, Status
from records import invoices
from records.intents import mark_started, register
from records.metering import take
from records.session import Database
from records.subscriptions import put_subscription
from tests.console.seeding import CUSTOMERS
from tests.records.metered import GROUPS

_EACH: Final = 4
# Subscriptions of each customer.
_PRICE: Final = {"JPY": "12", "KWD": "0.025"}


async def metered(database: Database, now: datetime, seed: int = 5) -> str:
    """The month, `2026-10`; the one before it has its invoices."""
    random, europe = Random(seed), GROUPS["europe"]
    month = month_before(europe.month_of(now))
    at = europe.ends_at(month) - timedelta(days=3)
    for customer, (_, currency) in CUSTOMERS.items():
        for number in range(_EACH):
            name = f"{customer}-{number + 1}"
            used = 0 if random.random() < 0.12 else random.randint(2_000, 90_000)
            before = int(used * random.uniform(0.5, 1.3))
            price = _PRICE.get(currency, "0.08")
            await _subscribed(database, name, customer, currency, price)
            await _used(database, name, at, used, now)
            if before:
                await _billed(database, _intent(name, customer, currency, Decimal(before) * Decimal(price), at))
    return month


async def _subscribed(database: Database, name: str, customer: str, currency: str, price: str) -> None:
    charge = {"meter": "api", "model": "per_unit", "unit_price": price, "description": "API calls"}
    body = {"customer_id": customer, "billing_group": "europe", "currency": currency, "started_on": "2025-01-01"}
    async with database.transaction() as s:
        await put_subscription(s, name, SubscriptionBody.model_validate(body | {"charges": [charge]}))


async def _used(database: Database, name: str, at: datetime, quantity: int, now: datetime) -> None:
    event = {"event_id": f"{name}-u", "subscription_id": name, "meter": "api", "quantity": str(quantity)}
    async with database.transaction() as s:
        await take(s, [UsageEvent.of(event | {"at": at.isoformat()})], GROUPS, now)


async def _billed(database: Database, intent: Intent) -> None:
    """Told as the workflow would have; nothing runs behind it."""
    total = intent.commercial.total
    record = InvoiceRecord(
        key=intent.key,
        sequence=1,
        status=Status.BILLED,
        total_minor=total.minor,
        currency=total.currency,
        version=1,
        revision=intent.commercial.revision(1),
    )
    async with database.transaction() as s:
        await register(s, intent)
        await mark_started(s, intent.key)
        await invoices.save_record(s, record)


def _intent(name: str, customer: str, currency: str, amount: Decimal, at: datetime) -> Intent:
    month = month_before(GROUPS["europe"].month_of(at))
    lines = (Line(description="API calls", quantity=Decimal(1), unit_price=amount),)
    return Intent(
        key=usage_key(name, month),
        motion=Motion.USAGE,
        customer_id=customer,
        commercial=Commercial(currency=currency, lines=lines),
        source=Source(event_id=f"usage:{name}:{month}", occurred_at=at, scope=name),
    )
