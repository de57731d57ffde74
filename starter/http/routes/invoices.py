"""Invoices as our records tell them, and what a person can do with one. The workflow has the last word on a wish."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from billing.decisions import Answer
from billing.errors import NotFound
from billing.record import Status
from records import invoices
from records.comparing import get_case, with_comparisons
from records.invoices import OpenCase
from records.tokens import Scope
from records.views import InvoiceView, Page
from starter.deciding import CancelBody, ChangeDecisionBody, DecisionBody, DelegateBody, RetryBody
from starter.dossiers import dossier, file_name
from starter.http.auth import GuardedRoute, UseCaller, needs
from starter.http.parts import UseParts

router = APIRouter(prefix="/invoices", tags=["invoices"], route_class=GuardedRoute)

Key = Annotated[str, Path(description="For example `invoice:project_4821:milestone_3`", max_length=400)]

Once = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Ask again with the same one when you heard no answer: the same wish is then carried out once",
    ),
]


@router.get("", summary="List invoices, newest first", **needs(Scope.READ))
async def list_invoices(
    parts: UseParts,
    status: Status | None = None,
    customer_id: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page:
    async with parts.database.session() as session:
        return await invoices.list_views(session, status=status, customer_id=customer_id, cursor=cursor, limit=limit)


@router.get("/{key}", summary="Read one invoice", **needs(Scope.READ))
async def get_invoice(key: Key, parts: UseParts) -> InvoiceView:
    """Its change requests come with what they propose beside what stands."""
    view = await parts.deciding.view(key)
    async with parts.database.session() as session:
        return await with_comparisons(session, view)


@router.get(
    "/{key}/dossier",
    summary="All that shows who decided what on which content, as one file",
    response_class=Response,
    **needs(Scope.READ),
)
async def read_dossier(key: Key, parts: UseParts) -> Response:
    """Its entries are chained by hashes; keep the bytes as they came."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name(key)}"'}
    return Response(await dossier(parts.database, key), media_type="application/json", headers=headers)


@router.post("/{key}/decision", summary="Approve or reject", **needs(Scope.APPROVE))
async def decide(key: Key, body: DecisionBody, parts: UseParts, caller: UseCaller, once: Once = None) -> Answer:
    """A decision on another revision than the present one is a 409 that names the present one."""
    return await parts.deciding.decide(key, caller.name, body, once)


@router.post("/{key}/delegate", summary="Put an open approval to somebody else", **needs(Scope.APPROVE))
async def delegate(key: Key, body: DelegateBody, parts: UseParts, caller: UseCaller, once: Once = None) -> Answer:
    return await parts.deciding.delegate(key, caller.name, body, once)


@router.get("/{key}/change-requests/{case_id}", summary="Read one change request", **needs(Scope.READ))
async def get_change_request(key: Key, case_id: str, parts: UseParts) -> OpenCase:
    """Open or closed, with what it proposes beside what stood."""
    async with parts.database.session() as session:
        found = await get_case(session, key, case_id)
    if found is None:
        raise NotFound(f"no change request {case_id!r} of {key!r}", next_step="GET /invoices/{key} lists its cases")
    return found


@router.post("/{key}/change-requests/{case_id}/decision", summary="Answer a change request", **needs(Scope.APPROVE))
async def decide_change(  # noqa: PLR0917 - FastAPI names them
    key: Key, case_id: str, body: ChangeDecisionBody, parts: UseParts, caller: UseCaller, once: Once = None
) -> Answer:
    return await parts.deciding.answer_case(key, case_id, caller.name, body, once)


@router.post("/{key}/cancel", summary="Discard the draft, or void the invoice", **needs(Scope.APPROVE))
async def cancel(key: Key, body: CancelBody, parts: UseParts, caller: UseCaller, once: Once = None) -> Answer:
    return await parts.deciding.cancel(key, caller.name, body, once)


@router.post("/{key}/retry", summary="Resume a parked invoice, or abandon it", **needs(Scope.APPROVE))
async def retry(key: Key, body: RetryBody, parts: UseParts, caller: UseCaller, once: Once = None) -> Answer:
    return await parts.deciding.retry(key, caller.name, body, once)
