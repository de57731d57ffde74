"""The steps that a CRM takes for us: fields that recipients gave, deals that are billed."""

from typing import Any

from temporalio import activity

from activities import signatures
from billing.intent import canonical_hash
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
        """To our customer record, where the latest event time wins per field, then what that holds to the CRM.

        Read again after the write: if another invoice's newer value came in between, the CRM may have been told in
        the wrong order, and is told once more.
        """
        given = {name: (field.value, field.at) for name, field in request.fields.items()}
        async with self._database.transaction() as session:
            await customers.store_recipient_fields(session, request.customer_id, request.scope, given)
        told: dict[str, Any] | None = None
        while (held := await self._held(request)) != told:
            digest = canonical_hash({"digest": request.digest, "fields": held})[:12]
            key = step_key(request.key, f"sync-{digest}")
            await self._crm.update_customer(request.customer_id, held, step_key=key)
            told = held
        return signatures.Nothing()

    async def _held(self, request: signatures.SyncFields) -> dict[str, Any]:
        async with self._database.session() as session:
            return await customers.given_fields(session, request.customer_id, request.fields)

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
