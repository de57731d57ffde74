"""HubSpot behind the Crm port: what recipients gave goes to company properties, what is billed to deal properties.

HubSpot knows no idempotency keys, so every write says the whole of what holds: fields as they are now, and of a deal
all that was ever billed of it, which our own records add up. A repeat, or two invoices of one deal at once, end the
same.
"""

from typing import Any

from billing.errors import BadInput
from billing.mappings import HubSpotMapping
from billing.money import Money
from connectors.hubspot import HubSpot
from records import deals
from records.customers import get_customer
from records.session import Database


class HubSpotCrm:
    def __init__(self, hubspot: HubSpot, mapping: HubSpotMapping, database: Database) -> None:
        self._hubspot, self._mapping, self._database = hubspot, mapping, database

    async def update_customer(self, customer_id: str, fields: dict[str, Any], *, step_key: str) -> None:
        """To the customer's company. Raises BadInput where nobody says which one that is."""
        names = self._mapping.company_names
        properties = {names[field]: written(value) for field, value in fields.items() if field in names}
        if properties:
            await self._hubspot.update("companies", await self._company(customer_id), properties, step_key=step_key)

    async def mark_billed(self, deal_id: str, customer_id: str, key: str, total: Money, *, step_key: str) -> None:
        """Told again where another invoice of the deal was billed meanwhile, so that the last word holds both."""
        async with self._database.transaction() as session:
            await deals.mark_billed(session, deal_id, customer_id, key, total)
        told: dict[str, Money] | None = None
        while (held := await self._billed(deal_id)) != told:
            await self._hubspot.update("deals", deal_id, self._facts(held), step_key=step_key)
            told = held

    async def _billed(self, deal_id: str) -> dict[str, Money]:
        async with self._database.session() as session:
            return await deals.billed(session, deal_id)

    def _facts(self, held: dict[str, Money]) -> dict[str, str]:
        values = {"billed": "true", "total": _sums(held), "invoices": "\n".join(sorted(held))}
        return {name: values[fact] for fact, name in self._mapping.deal_names.items()}

    async def _company(self, customer_id: str) -> str:
        async with self._database.session() as session:
            customer = await get_customer(session, customer_id)
        found = self._mapping.company_of(customer_id) or (customer.crm_ref if customer else None)
        if not found:
            raise BadInput(
                "crm_ref",
                f"nobody says which HubSpot company {customer_id} is",
                f"set crm_ref with PUT /customers/{customer_id}, or hubspot.customers in motions.toml; then retry",
            )
        return found


def written(value: Any) -> str:
    """A recipient's value as text: an address line by line, a contact the same; nothing clears the property."""
    if isinstance(value, dict):
        return "\n".join(str(part) for part in value.values() if part)
    return "" if value is None else str(value)


def _sums(held: dict[str, Money]) -> str:
    """`1250.00 USD`, one per currency."""
    minor: dict[str, int] = {}
    for money in held.values():
        minor[money.currency] = minor.get(money.currency, 0) + money.minor
    sums = [Money(minor=amount, currency=currency) for currency, amount in sorted(minor.items())]
    return ", ".join(f"{money.major:f} {money.currency}" for money in sums)
