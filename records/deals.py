"""What the built-in CRM holds: deals that are billed, and the customer fields that recipients gave."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.money import Money
from records.sql import insert, now, table
from records.tables import CrmField, DealRow

_D = table(DealRow)


async def mark_billed(s: AsyncSession, deal_id: str, customer_id: str, key: str, total: Money) -> None:
    """This invoice of the deal is billed; a repeat changes nothing."""
    values = {
        "id": deal_id,
        "key": key,
        "customer_id": customer_id,
        "total_minor": total.minor,
        "currency": total.currency,
        "billed_at": now(),
    }
    await s.execute(insert(s, DealRow).values(values).on_conflict_do_nothing())


async def billed(s: AsyncSession, deal_id: str) -> dict[str, Money]:
    """What was billed of a deal, by invoice key."""
    rows = await s.execute(select(_D.c.key, _D.c.total_minor, _D.c.currency).where(_D.c.id == deal_id))
    return {row.key: Money(minor=row.total_minor, currency=row.currency) for row in rows}


async def update_fields(s: AsyncSession, customer_id: str, fields: dict[str, Any], step_key: str) -> None:
    """Write `fields` as the CRM's present values."""
    rows = [
        {"customer_id": customer_id, "field": name, "value": value, "step_key": step_key}
        for name, value in sorted(fields.items())
    ]
    if not rows:
        return
    statement = insert(s, CrmField).values(rows)
    changed = {name: statement.excluded[name] for name in ("value", "step_key")}
    await s.execute(statement.on_conflict_do_update(index_elements=["customer_id", "field"], set_=changed))
