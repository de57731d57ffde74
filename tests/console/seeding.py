"""Two months of a firm's billing, for pages that show how it fares: the same each time, dated back from `now`.

Written straight into the records, as the workflow would have told it; nothing runs behind these invoices. What is open
in a screenshot and can be decided comes from `world.py`, where everything is real.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from sqlalchemy import update

from billing.assessment import Assessment, Reason
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.record import CaseRecord, Entry, InvoiceRecord, Status
from records import invoices
from records.customers import CustomerBody, put_customer
from records.intents import register
from records.session import Database
from records.sql import table
from records.tables import IntentRow

_N = table(IntentRow)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

CUSTOMERS: Final = {
    "nordwind": ("Nordwind Logistik GmbH", "EUR"),
    "halcyon": ("Halcyon Health Inc.", "USD"),
    "quill-oak": ("Quill & Oak Ltd", "GBP"),
    "brightwater": ("Brightwater Energy", "USD"),
    "sakura": ("Sakura Robotics K.K.", "JPY"),
    "manara": ("Manara Trading W.L.L.", "KWD"),
}
_ASKING: Final = ("nordwind", "sakura")
# Who asks for changes; invoices to the others go out by themselves.
_WORK: Final = ("Discovery workshop", "Design approved", "Data migration", "Go-live", "Integration tested", "Training")
_MOTIONS: Final = (Motion.MILESTONE, Motion.MILESTONE, Motion.PROJECT, Motion.QUOTE, Motion.USAGE)
_REASONS: Final = {
    "over_threshold": "The total is over the threshold of its currency.",
    "first_enterprise_invoice": "This is the first invoice to an enterprise customer.",
    "change_history": "The customer asked for changes once within the last 365 days.",
    "usage_variance": "The total is 2.4 times the mean of the last three invoices.",
}


@dataclass(frozen=True)
class _Told:
    """One invoice as our records have it."""

    intent: Intent
    record: InvoiceRecord
    assessment: Assessment
    triggered: datetime


async def seed(database: Database, now: datetime, days: int = 60, seed: int = 11) -> int:
    """Customers and the invoices of the last `days`; how many."""
    random = Random(seed)
    told = [one for day in range(days, 0, -1) for one in _of_a_day(random, now, now - day * _DAY)]
    async with database.transaction() as session:
        for customer_id, (name, currency) in CUSTOMERS.items():
            body = {"name": name, "email": f"ap@{customer_id}.example", "segment": "standard", "currency": currency}
            await put_customer(session, customer_id, CustomerBody.model_validate(body))
        for one in told:
            await register(session, one.intent)
            dated = {"created_at": one.triggered, "started_at": one.triggered}
            await session.execute(update(_N).where(_N.c.key == one.intent.key).values(dated))
            await invoices.save_assessment(session, one.intent.key, one.record.revision, one.assessment)
        await invoices.save_records(session, [one.record for one in told])
    return len(told)


def _of_a_day(random: Random, now: datetime, day: datetime) -> Iterator[_Told]:
    if day.weekday() >= 5:
        return
    for number in range(random.randint(1, 5)):
        hour = day.replace(hour=random.randint(7, 16), minute=random.randint(0, 59), second=0, microsecond=0)
        yield _invoice(random, now, hour, number)


def _invoice(random: Random, now: datetime, triggered: datetime, number: int) -> _Told:
    customer = random.choice(list(CUSTOMERS))
    currency = CUSTOMERS[customer][1]
    price = Decimal(random.randint(9, 240)) * 100
    intent = Intent(
        key=f"invoice:project_{triggered:%y%m%d}:step_{number + 1}",
        motion=random.choice(_MOTIONS),
        customer_id=customer,
        commercial=Commercial(
            currency=currency,
            lines=(Line(description=random.choice(_WORK), quantity=Decimal(1), unit_price=price),),
        ),
        source=Source(event_id=f"e{triggered:%y%m%d%H%M}", occurred_at=triggered, scope=f"project_{triggered:%y%m%d}"),
    )
    asked = random.random() < 0.28
    reasons = tuple(
        Reason(rule=rule, text=_REASONS[rule])
        for rule in random.sample(list(_REASONS), k=random.choice((1, 1, 1, 2)))
        if asked
    )
    assessment = Assessment(automatic=not asked, policy_hash="5c1f0e6a9b2d4473", reasons=reasons)
    return _Told(intent, _record(random, intent, triggered, now, asked=asked), assessment, triggered)


def _record(random: Random, intent: Intent, triggered: datetime, now: datetime, *, asked: bool) -> InvoiceRecord:
    """As far as it had time to come."""
    sent = triggered + (random.uniform(1, 30) * _HOUR if asked else random.uniform(0.01, 0.05) * _HOUR)
    viewed = sent + random.uniform(2, 60) * _HOUR
    approved = viewed + random.uniform(4, 200) * _HOUR
    lines = [("issued", "V1 issued", sent), ("event", "viewed V1", viewed), ("event", "approved V1", approved)]
    status = Status.BILLED
    if asked and random.random() < 0.15:
        lines, status = [("withdrawn", "draft discarded", sent)], Status.REJECTED
    past = [one for one in lines if one[2] < now]
    if len(past) < len(lines):
        status = (Status.SENT, Status.SENT, Status.VIEWED)[len(past)] if past else Status.DRAFTING
    entries = tuple(
        Entry(number=place, at=at, kind=kind, actor="billhook", text=text)
        for place, (kind, text, at) in enumerate(past, start=1)
    )
    return InvoiceRecord(
        key=intent.key,
        sequence=1,
        status=status,
        total_minor=intent.commercial.total.minor,
        currency=intent.commercial.currency,
        version=1,
        revision=intent.commercial.revision(1),
        due_date=(triggered + 30 * _DAY).date(),
        entries=entries,
        cases=_cases(random, viewed, now) if len(past) > 1 and intent.customer_id in _ASKING else (),
    )


def _cases(random: Random, opened: datetime, now: datetime) -> tuple[CaseRecord, ...]:
    """Two invoices in five were asked to be changed; most were answered in time."""
    if random.random() > 0.4:
        return ()
    deadline = opened + 2 * _DAY
    resolved = min(opened + random.uniform(2, 58) * _HOUR, now)
    told: dict[str, Any] = {"status": random.choice(("accepted", "declined")), "resolved_at": resolved}
    if random.random() < 0.15:
        told = {"status": "withdrawn", "resolved_at": resolved}
    case = CaseRecord(
        id="cr_1", version=1, opened_at=opened, deadline=deadline, owner="mia", message="Please split it", **told
    )
    return (case,)
