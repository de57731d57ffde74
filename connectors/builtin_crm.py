"""The CRM for those who have none: it lives in our own records and behaves as an outside one would."""

from typing import Any, Final

from billing.money import Money
from connectors.noted import note
from connectors.watched import watched
from records import deals
from records.session import Database

_SYSTEM: Final = "crm"


class BuiltinCrm:
    """Repeating a write with the same values changes nothing, which is all that a step key asks for here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def update_customer(self, customer_id: str, fields: dict[str, Any], *, step_key: str) -> None:
        """The customer's fields as recipients gave them."""
        path = f"/customers/{customer_id}"
        with watched(_SYSTEM, "UPDATE", path, step_key):
            async with self._database.transaction() as session:
                await deals.update_fields(session, customer_id, fields, step_key)
        note(_SYSTEM, "UPDATE", path, step_key=step_key)

    async def mark_billed(self, deal_id: str, customer_id: str, key: str, total: Money, *, step_key: str) -> None:
        """This invoice of the deal is billed; (deal, key) is unique, so a repeat under any step key is one."""
        path = f"/deals/{deal_id}"
        with watched(_SYSTEM, "BILLED", path, step_key):
            async with self._database.transaction() as session:
                await deals.mark_billed(session, deal_id, customer_id, key, total)
        note(_SYSTEM, "BILLED", path, step_key=step_key)
