"""Whole, ordinary things for the tests of the records."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.events import InvoiceEvent
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.record import InvoiceRecord, Status
from records.customers import CustomerBody, put_customer
from records.intents import register
from records.session import Database

AT = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
KEY = "invoice:project_1:milestone_1"


def an_intent(key: str = KEY, price: str = "1250.00", **changes: Any) -> Intent:
    line = Line(description="Design", quantity=Decimal(1), unit_price=Decimal(price))
    return Intent(
        **{
            "key": key,
            "motion": Motion.MILESTONE,
            "customer_id": "acme",
            "commercial": Commercial(currency="USD", lines=(line,)),
            "source": Source(event_id="e1", occurred_at=AT, scope="project_1"),
            **changes,
        }
    )


def a_record(sequence: int = 1, status: Status = Status.SENT, **changes: Any) -> InvoiceRecord:
    return InvoiceRecord(
        **{
            "key": KEY,
            "sequence": sequence,
            "status": status,
            "total_minor": 125000,
            "currency": "USD",
            "version": 1,
            "revision": "abc",
            **changes,
        }
    )


def an_event(name: str = "evt_1", **data: Any) -> InvoiceEvent:
    body = {"invoice_id": "inv_1", "reference": KEY, "version": 1, **data}
    return InvoiceEvent.model_validate({"id": name, "type": "invoice.viewed", "created_at": AT, "data": body})


async def with_customer(db: Database, segment: str = "standard") -> None:
    async with db.transaction() as s:
        body = CustomerBody.model_validate(
            {"name": "Acme", "email": "ap@acme.example", "segment": segment, "currency": "USD"}
        )
        await put_customer(s, "acme", body)


async def with_intent(db: Database, key: str = KEY) -> None:
    await with_customer(db)
    async with db.transaction() as s:
        await register(s, an_intent(key))
