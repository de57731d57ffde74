"""The steps that the invoicing API takes for us. Each is safe to repeat under its step key."""

from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import signatures
from billing.errors import UnknownCustomer
from billing.intent import Commercial, canonical_hash
from billing.keys import step_key
from billing.ownership import Carry
from connectors.http import CallFailed
from connectors.ports import Invoicing, Recipient, RemoteInvoice
from records import customers
from records.session import Database

KEY_LIFE: Final = timedelta(hours=23)
# A provider keeps an Idempotency-Key for 24 hours; an hour is left for clocks and queues.
_KEY_REUSED: Final = 422
_CONFLICT: Final = 409
_LOCKED: Final = frozenset({"approved", "paid"})
_DISCARDED: Final = "draft discarded, no number used"


class InvoicingActivities:
    """`send_by_api`: the API mails the link itself."""

    def __init__(self, invoicing: Invoicing, database: Database, *, carry: Carry, send_by_api: bool) -> None:
        self._invoicing = invoicing
        self._database = database
        self._carry = carry
        self._send_by_api = send_by_api

    @activity.defn(name=signatures.CREATE_DRAFT.name)
    async def create_draft(self, request: signatures.CreateDraft) -> signatures.Draft:
        """A draft for this key that says what is asked now: an earlier try that was not heard may have made it from
        what stood before an edit, and its key may have expired."""
        recipient, carried = await self._customer(request.customer_id, request.scope)
        found = await self._invoicing.find(request.key) if _key_may_be_dead(request.began_at) else None
        draft = await self._mended(request, found) if found else await self._create(request, recipient)
        if draft.status == "draft":
            _check_total(draft, request.commercial.model_copy(update={"discount": None}), request.commercial)
        return _draft(draft, carried)

    @activity.defn(name=signatures.PATCH_DRAFT.name)
    async def patch_draft(self, request: signatures.PatchDraft) -> signatures.Draft:
        """Discount, custom due date, edits, and what earlier invoices' recipients gave."""
        _, carried = await self._customer(request.customer_id, request.scope)
        digest = canonical_hash({"carried": carried, "revision": request.revision})[:12]
        again = f"-{request.earlier}" if request.earlier else ""
        draft = await self._invoicing.patch_draft(
            request.external_id,
            commercial=request.commercial,
            carried=carried,
            step_key=step_key(request.key, f"patch-{digest}{again}"),
        )
        _check_total(draft, request.commercial)
        return _draft(draft, carried)

    @activity.defn(name=signatures.ISSUE.name)
    async def issue(self, request: signatures.Issue) -> signatures.Issued:
        """The API assigns the number; we learn the link. A total that is not what was cleared parks the invoice."""
        issued = await self._invoicing.issue(
            request.external_id, send=self._send_by_api, step_key=step_key(request.key, "issue", 1)
        )
        _check_total(issued, request.commercial)
        return _issued(issued)

    @activity.defn(name=signatures.REVISE.name)
    async def revise(self, request: signatures.Revise) -> signatures.Issued:
        """The next version of an issued invoice; number and issue date stay.

        Looked for first, always: a repeat whose key has expired would make one version more, and a change of version is
        rare enough to spend a read on it.
        """
        revised = await self._invoicing.get(request.external_id)
        if revised.version < request.version:
            revised = await self._invoicing.revise(
                request.external_id,
                request.commercial,
                change_request_id=request.change_request_id,
                step_key=step_key(request.key, "revise", request.version),
            )
        _check_total(revised, request.commercial)
        return _issued(revised)

    @activity.defn(name=signatures.DECLINE_CHANGE.name)
    async def decline_change(self, request: signatures.DeclineChange) -> signatures.Nothing:
        """Our answer, which the recipient reads on the page. A request that is no longer open there needs none."""
        try:
            await self._invoicing.decline_change(
                request.external_id,
                request.change_request_id,
                request.message,
                step_key=step_key(request.key, f"decline-{request.change_request_id}"),
            )
        except CallFailed as error:
            # By an earlier try whose key has expired, or since the recipient approved meanwhile.
            if (error.status, error.field) != (_CONFLICT, "change_request_id"):
                raise
        return signatures.Nothing()

    @activity.defn(name=signatures.READ_LOCKED.name)
    async def read_locked(self, request: signatures.ReadLocked) -> signatures.Locked:
        """The approved version as the API holds it. Refuses for good where it is not what was approved."""
        found = await self._invoicing.get(request.external_id)
        if found.version != request.version or found.status not in _LOCKED:
            text = f"the API says V{found.version} {found.status}, the approval was for V{request.version}"
            raise ApplicationError(text, type="NotLocked", non_retryable=True)
        _check_total(found, request.commercial)
        return signatures.Locked(
            approved_at=found.approved_at or activity.info().started_time,
            total_minor=found.total.minor,
            fields=found.recipient_fields,
        )

    @activity.defn(name=signatures.WITHDRAW.name)
    async def withdraw(self, request: signatures.Withdraw) -> signatures.Withdrawn:
        """Looks what the API holds, then discards or voids it; what is locked stays and says so."""
        found = await self._look(request)
        if found is None and request.external_id is None:
            return signatures.Withdrawn(text="nothing was at the invoicing API")
        if found is None:
            # An earlier try was not heard of: of what we know to have been there, only a draft can go.
            return signatures.Withdrawn(text=_DISCARDED)
        if found.status in _LOCKED:
            return signatures.Withdrawn(text=f"{found.status} at the invoicing API", refused=True)
        if found.status == "draft":
            await self._invoicing.discard(found.external_id)
            return signatures.Withdrawn(text=_DISCARDED)
        if found.status != "voided":
            await self._invoicing.void(found.external_id, request.reason, step_key=step_key(request.key, "void"))
        return signatures.Withdrawn(text="issued invoice voided")

    async def _look(self, request: signatures.Withdraw) -> RemoteInvoice | None:
        if request.external_id is None:
            return await self._invoicing.find(request.key)
        try:
            return await self._invoicing.get(request.external_id)
        except CallFailed as error:
            if error.status == 404:  # noqa: PLR2004 - discarded by an earlier try
                return None
            raise

    async def _create(self, request: signatures.CreateDraft, recipient: Recipient) -> RemoteInvoice:
        try:
            return await self._invoicing.create_draft(
                request.key, recipient, request.commercial, step_key=step_key(request.key, "create")
            )
        except CallFailed as error:
            # Our customer record may have changed between two tries, too; the first try's draft is the draft.
            found = await self._invoicing.find(request.key) if error.status == _KEY_REUSED else None
            if found is None:
                raise
            return await self._mended(request, found)

    async def _mended(self, request: signatures.CreateDraft, found: RemoteInvoice) -> RemoteInvoice:
        """The draft of an earlier try, with what is asked now; what is no draft any more is left as it is."""
        if found.status != "draft":
            return found
        digest = canonical_hash(request.commercial.model_dump(mode="json"))[:12]
        return await self._invoicing.patch_draft(
            found.external_id,
            commercial=request.commercial,
            carried={},
            step_key=step_key(request.key, f"create-{digest}"),
        )

    async def _customer(self, customer_id: str, scope: str) -> tuple[Recipient, dict[str, Any]]:
        async with self._database.session() as session:
            customer = await customers.get_customer(session, customer_id)
            if customer is None:
                raise UnknownCustomer(customer_id)
            carried = await customers.carry_forward(session, customer_id, scope, self._carry)
            return Recipient(company=customer.name, email=customer.email), carried


def _key_may_be_dead(first_used: datetime) -> bool:
    """By the server's clock, which the workflow's times are of as well; a worker's own may be days off it in a test."""
    return activity.info().started_time - first_used > KEY_LIFE


def _draft(found: RemoteInvoice, carried: dict[str, Any]) -> signatures.Draft:
    return signatures.Draft(
        external_id=found.external_id, total_minor=found.total.minor, due_date=found.due_date, carries=carried
    )


def _issued(found: RemoteInvoice) -> signatures.Issued:
    return signatures.Issued(
        version=found.version, total_minor=found.total.minor, link=found.link, due_date=found.due_date
    )


def _check_total(found: RemoteInvoice, *fits: Commercial) -> None:
    """Ours and the API's must agree to the minor unit; a draft may stand with or without its discount yet."""
    totals = [commercial.total for commercial in fits]
    if found.total not in totals:
        text = f"the API's total is {found.total}, ours is {totals[-1]}"
        raise ApplicationError(text, type="TotalsDiffer", non_retryable=True)
