"""Our customer record, and what its recipients told us on earlier invoices.

A recipient's answer is kept per scope (project, deal or subscription) and per customer; the latest event time wins in
one atomic statement, so two invoices that are amended at once cannot undo each other.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.assessment import Segment
from billing.keys import ID_PATTERN, checked_id
from billing.money import Currency
from billing.ownership import RECIPIENT_FIELDS, Carry
from records.sql import insert, now, table
from records.tables import Customer, RecipientField

_ANY_SCOPE: Final = ""
_C, _F = table(Customer), table(RecipientField)


class CustomerBody(BaseModel):
    """`PUT /customers/{id}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=300)]
    email: Annotated[str, Field(min_length=3, max_length=254, pattern=r"^[^@\s,;<>\x00-\x1f]+@[^@\s,;<>\x00-\x1f]+$")]
    segment: Segment = Segment.STANDARD
    currency: Currency
    crm_ref: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")] | None = None


async def put_customer(s: AsyncSession, customer_id: str, body: CustomerBody) -> Customer:
    """Create or replace. Raises BadInput for an id that cannot stand in a key."""
    values = {**body.model_dump(mode="json"), "updated_at": now()}
    statement = insert(s, Customer).values(
        id=checked_id(customer_id, "customer_id"), created_at=values["updated_at"], **values
    )
    kept = statement.on_conflict_do_update(index_elements=["id"], set_=values).returning(_C)
    return Customer(**(await s.execute(kept)).mappings().one())


async def get_customer(s: AsyncSession, customer_id: str) -> Customer | None:
    row = (await s.execute(select(_C).where(_C.c.id == customer_id))).mappings().one_or_none()
    return None if row is None else Customer(**row)


async def customer_with(s: AsyncSession, crm_ref: str) -> str | None:
    """The customer with this `crm_ref`; None where there is none, or several, since then it names nobody."""
    found = (await s.execute(select(_C.c.id).where(_C.c.crm_ref == crm_ref).limit(2))).scalars().all()
    return found[0] if len(found) == 1 else None


async def store_recipient_fields(
    s: AsyncSession, customer_id: str, scope: str, fields: dict[str, tuple[Any, datetime]]
) -> None:
    """Keep `{field: (value, event time)}`; the latest event time wins per field, for the customer and for the scope.

    Raises KeyError on a field of ours.
    """
    foreign = fields.keys() - set(RECIPIENT_FIELDS)
    if foreign:
        raise KeyError(f"{sorted(foreign)} are no fields that a recipient owns")
    rows = [
        {"customer_id": customer_id, "scope": where, "field": name, "value": value, "at": at}
        for where in dict.fromkeys((_ANY_SCOPE, scope))
        for name, (value, at) in sorted(fields.items())
        # Sorted, so that two writers on PostgreSQL take their row locks in one order.
    ]
    if not rows:
        return
    statement = insert(s, RecipientField).values(rows)
    newest = statement.on_conflict_do_update(
        index_elements=["customer_id", "scope", "field"],
        set_={"value": statement.excluded["value"], "at": statement.excluded["at"]},
        where=statement.excluded["at"] >= _F.c.at,
    )
    await s.execute(newest)


async def given_fields(s: AsyncSession, customer_id: str, names: Collection[str]) -> dict[str, Any]:
    """What this customer's recipients gave last of these fields, whatever the project."""
    wanted = select(_F.c.field, _F.c.value).where(
        _F.c.customer_id == customer_id, _F.c.scope == _ANY_SCOPE, _F.c.field.in_(names)
    )
    return {row.field: row.value for row in await s.execute(wanted.order_by(_F.c.field))}


async def given_last(s: AsyncSession, customer_id: str) -> dict[str, Any]:
    """Recipient-owned fields as this customer's recipients gave them last, by name."""
    return await carry_forward(s, customer_id, _ANY_SCOPE, Carry.CUSTOMER)


async def carry_forward(s: AsyncSession, customer_id: str, scope: str, carry: Carry) -> dict[str, Any]:
    """Recipient-owned fields for this customer's next invoice, by name; a PO number only as far as `carry` lets it."""
    scopes = {_ANY_SCOPE, scope}
    wanted = select(_F.c.scope, _F.c.field, _F.c.value).where(_F.c.customer_id == customer_id, _F.c.scope.in_(scopes))
    return carried({(row.scope, row.field): row.value for row in await s.execute(wanted)}, scope, carry)


def carried(given: Mapping[tuple[str, str], Any], scope: str, carry: Carry) -> dict[str, Any]:
    """What of the values `given` by (scope, field) an invoice of `scope` carries; what is empty was not given."""
    found = {name: _given(given, name, scope, carry) for name in RECIPIENT_FIELDS}
    return {name: value for name, value in found.items() if value}


def _given(given: Mapping[tuple[str, str], Any], name: str, scope: str, carry: Carry) -> Any:
    where = _po_scope(name, scope, carry)
    return None if where is None else given.get((where, name))


def _po_scope(field: str, scope: str, carry: Carry) -> str | None:
    """Under which scope a field is looked up; None: nowhere."""
    if field != "po_number" or carry is Carry.CUSTOMER:
        return _ANY_SCOPE
    return scope if carry is Carry.SOURCE and scope != _ANY_SCOPE else None
