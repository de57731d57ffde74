"""The steps that a CRM takes for us: fields that recipients gave, deals that are billed."""

from temporalio import activity

from activities import signatures
from billing.keys import step_key
from billing.money import Money
from connectors.ports import Crm
from records import customers
from records.session import Database


class CrmActivities:
    def __init__(self, crm: Crm, database: Database) -> None:
        self._crm = crm
        self._database = database

    @activity.defn(name=signatures.SYNC_FIELDS.name)
    async def sync_fields(self, request: signatures.SyncFields) -> signatures.Nothing:
        """To our customer record, where the latest event time wins per field, then what won to the CRM."""
        given = {name: (field.value, field.at) for name, field in request.fields.items()}
        async with self._database.transaction() as session:
            won = await customers.store_recipient_fields(session, request.customer_id, request.scope, given)
        values = {name: request.fields[name].value for name in sorted(won)}
        if values:
            key = step_key(request.key, f"sync-{request.digest}")
            await self._crm.update_customer(request.customer_id, values, step_key=key)
        return signatures.Nothing()

    @activity.defn(name=signatures.MARK_BILLED.name)
    async def mark_billed(self, request: signatures.MarkBilled) -> signatures.Nothing:
        await self._crm.mark_billed(
            request.deal_id,
            request.customer_id,
            request.key,
            Money(minor=request.total_minor, currency=request.currency),
            step_key=step_key(request.key, "mark-billed"),
        )
        return signatures.Nothing()
