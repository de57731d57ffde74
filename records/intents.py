"""Intents: registered once per key before anything is started, so that no trigger is lost and none counts twice."""

from collections.abc import Collection

from sqlalchemy import Executable, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing.errors import KeyTaken, UnknownCustomer
from billing.intent import Intent, Motion
from billing.money import Money
from billing.record import Status
from billing.run_plan import Standing
from records.sql import affected, insert, now, table
from records.tables import Customer, IntentRow, InvoiceRow

_N, _C, _I = table(IntentRow), table(Customer), table(InvoiceRow)


async def register(s: AsyncSession, intent: Intent) -> bool:
    """True if `intent` is new, False if it was registered before with the same payload.

    Raises KeyTaken where the key stands for another payload or motion, UnknownCustomer where we have no such customer.
    """
    if await affected(s, _insert(s, intent)):
        return True
    found = (await s.execute(select(_N.c.motion, _N.c.payload_hash).where(_N.c.key == intent.key))).one_or_none()
    if found is None:
        raise UnknownCustomer(intent.customer_id)
    if found.payload_hash != intent.payload_hash:
        raise KeyTaken(intent.key, found.motion, other_motion=found.motion != intent.motion)
    return False


def _insert(s: AsyncSession, intent: Intent) -> Executable:
    """One statement that inserts only for a customer that exists and a key that is free."""
    values = {
        "key": intent.key,
        "motion": intent.motion.value,
        "scope": intent.source.scope,
        "payload_hash": intent.payload_hash,
        "payload": intent.model_dump_json(),
        "currency": intent.commercial.currency,
        "total_minor": intent.commercial.total.minor,
        "created_at": now(),
    }
    columns = [literal(value, _N.c[name].type) for name, value in values.items()]
    rows = select(_C.c.id, *columns).where(_C.c.id == intent.customer_id)
    return (
        insert(s, IntentRow).from_select(["customer_id", *values], rows).on_conflict_do_nothing(index_elements=["key"])
    )


async def get_intent(s: AsyncSession, key: str) -> Intent | None:
    payload = (await s.execute(select(_N.c.payload).where(_N.c.key == key))).scalar_one_or_none()
    return None if payload is None else Intent.model_validate_json(payload)


async def known(s: AsyncSession, keys: Collection[str]) -> set[str]:
    """Those of `keys` that are registered."""
    return set((await s.execute(select(_N.c.key).where(_N.c.key.in_(keys)))).scalars())


async def standing(s: AsyncSession, keys: Collection[str]) -> dict[str, Standing]:
    """Those of `keys` that are registered, with what each comes to now and how it fares."""
    columns = (_N.c.key, _N.c.motion, _N.c.currency, _I.c.status)
    total = func.coalesce(_I.c.total_minor, _N.c.total_minor).label("total_minor")
    query = select(*columns, total).select_from(_N.outerjoin(_I)).where(_N.c.key.in_(keys))
    return {
        row.key: Standing(
            motion=Motion(row.motion),
            total=Money(minor=int(row.total_minor), currency=row.currency),
            status=Status(row.status) if row.status else None,
        )
        for row in await s.execute(query)
    }


async def unstarted(s: AsyncSession, limit: int) -> list[Intent]:
    """Registered and without a workflow, oldest first: what a crash between the two left behind."""
    rows = select(_N.c.payload).where(_N.c.started_at.is_(None)).order_by(_N.c.created_at).limit(limit)
    return [Intent.model_validate_json(payload) for payload in (await s.execute(rows)).scalars()]


async def unstarted_among(s: AsyncSession, keys: Collection[str]) -> list[Intent]:
    """Those of `keys` that are registered and have no workflow yet."""
    rows = select(_N.c.payload).where(_N.c.key.in_(keys), _N.c.started_at.is_(None)).order_by(_N.c.key)
    return [Intent.model_validate_json(payload) for payload in (await s.execute(rows)).scalars()]


async def mark_started(s: AsyncSession, key: str) -> None:
    """Its workflow runs; saying so again changes nothing."""
    await s.execute(update(_N).where(_N.c.key == key, _N.c.started_at.is_(None)).values(started_at=now()))
