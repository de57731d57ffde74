"""The step that accounting takes for us: one posting per approved invoice."""

from temporalio import activity

from activities import signatures
from billing.errors import UnknownCustomer
from billing.money import Money
from connectors.ports import Accounting, Posting
from records import customers
from records.session import Database


class AccountingActivities:
    def __init__(self, accounting: Accounting, database: Database) -> None:
        self._accounting = accounting
        self._database = database

    @activity.defn(name=signatures.POST_INVOICE.name)
    async def post_invoice(self, request: signatures.PostInvoice) -> signatures.Nothing:
        """Receivable against revenue, idempotent by the invoice's key."""
        async with self._database.session() as session:
            customer = await customers.get_customer(session, request.customer_id)
        if customer is None:
            raise UnknownCustomer(request.customer_id)
        await self._accounting.post(
            Posting(
                key=request.key,
                external_id=request.external_id,
                customer_id=request.customer_id,
                customer_name=customer.name,
                motion=request.motion.value,
                total=Money(minor=request.total_minor, currency=request.currency),
                approved_on=request.approved_at.date(),
                lines=request.lines,
            )
        )
        return signatures.Nothing()
