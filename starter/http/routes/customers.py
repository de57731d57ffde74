"""Our customer records: put before anything can be billed to them."""

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


@router.put("/{customer_id}", summary="Create or replace a customer", **needs(Scope.TRIGGER))
async def put_customer(customer_id: str, body: CustomerBody, parts: UseParts) -> CustomerView:
    """The whole record; a field left out is emptied."""
    checked_id(customer_id, "id")
    async with parts.database.transaction() as session:
        return _view(await customers.put_customer(session, customer_id, body))


@router.get("/{customer_id}", summary="Read a customer", **needs(Scope.READ))
async def get_customer(customer_id: str, parts: UseParts) -> CustomerView:
    async with parts.database.session() as session:
        customer = await customers.get_customer(session, customer_id)
    if customer is None:
        raise NotFound(f"no customer {customer_id!r}", next_step=f"create it: PUT /customers/{customer_id}")
    return _view(customer)


def _view(customer: Customer | BaseModel) -> CustomerView:
    return CustomerView.model_validate(customer.model_dump(include=set(CustomerView.model_fields)))
