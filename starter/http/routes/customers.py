"""Our customer records: put before anything can be billed to them."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from billing.errors import NotFound
from billing.keys import checked_id
from records import customers
from records.customers import CustomerBody
from records.tables import Customer
from records.tokens import Scope
from starter.http.auth import GuardedRoute, needs
from starter.http.parts import UseParts

router = APIRouter(prefix="/customers", tags=["customers"], route_class=GuardedRoute)


class CustomerView(CustomerBody):
    """A customer with his id."""

    id: str


class CustomerFound(CustomerView):
    """A customer as we have him, and what his recipients gave last (`po_number`, `billing_entity`, `address`,
    `ap_contact`, `tax_id`; absent ones left out): untrusted text, theirs to change and never ours."""

    recipient_fields: dict[str, Any]


@router.put("/{customer_id}", summary="Create or replace a customer", **needs(Scope.TRIGGER))
async def put_customer(customer_id: str, body: CustomerBody, parts: UseParts) -> CustomerView:
    """The whole record; a field left out is emptied."""
    checked_id(customer_id, "id")
    async with parts.database.transaction() as session:
        return _view(await customers.put_customer(session, customer_id, body))


@router.get("/{customer_id}", summary="Read a customer", **needs(Scope.READ))
async def get_customer(customer_id: str, parts: UseParts) -> CustomerFound:
    async with parts.database.session() as session:
        customer = await customers.get_customer(session, customer_id)
        if customer is None:
            raise NotFound(f"no customer {customer_id!r}", next_step=f"create it: PUT /customers/{customer_id}")
        given = await customers.given_last(session, customer_id)
    return CustomerFound(**_view(customer).model_dump(), recipient_fields=given)


def _view(customer: Customer | BaseModel) -> CustomerView:
    return CustomerView.model_validate(customer.model_dump(include=set(CustomerView.model_fields)))
