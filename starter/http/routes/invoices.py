"""Invoices as our records tell them, and what a person can do with one. The workflow has the last word on a wish."""

from collections.abc import Awaitable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from billing.decisions import Action, Answer, Cancel, Decide, DecideChange, Retry
from billing.errors import Conflict, NotFound, NotPossible
from billing.intent import Patch
from billing.motions import PatchBody
from billing.record import Status
from records import invoices
from records.tokens import Scope
from records.views import InvoiceView, Page
from starter import client as temporal
from starter.client import NoSuchWorkflow
from starter.http.auth import GuardedRoute, UseCaller, needs
from starter.http.parts import Parts, UseParts

router = APIRouter(prefix="/invoices", tags=["invoices"], route_class=GuardedRoute)

Key = Annotated[str, Path(description="For example `invoice:project_4821:milestone_3`", max_length=400)]
Words = Annotated[str, Field(max_length=4000)]


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecisionBody(_Wish):
    """`revision` is the one that you saw; a patch edits the draft and is approved with it."""

    action: Literal["approve", "reject"]
    revision: Annotated[str, Field(min_length=1, max_length=64)]
    note: Words = ""
    patch: PatchBody | None = None


class ChangeDecisionBody(_Wish):
    """Accept with the edit that makes the next version, or decline with an answer to the recipient."""

    action: Literal["accept", "decline"]
    note: Words = ""
    patch: PatchBody | None = None


class CancelBody(_Wish):
    """Why; it goes on the record."""

    reason: Words


class RetryBody(_Wish):
    """Resume a parked invoice, with an edit if need be; `abandon` gives it up instead."""

    reason: Words = ""
    patch: PatchBody | None = None
    abandon: bool = False


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
    return await _view(parts, key)


@router.post("/{key}/decision", summary="Approve or reject", **needs(Scope.APPROVE))
async def decide(key: Key, body: DecisionBody, parts: UseParts, caller: UseCaller) -> Answer:
    """A decision on another revision than the present one is a 409 that names the present one."""
    view = await _view(parts, key)
    wish = Decide(
        action=Action(body.action),
        approver=caller.name,
        revision=body.revision,
        note=body.note,
        patch=_patch(body.patch, view),
    )
    client = await parts.engine.client()
    return await _asked(parts, key, wish.action, temporal.decide(client, key, wish))


@router.post("/{key}/change-requests/{case_id}/decision", summary="Answer a change request", **needs(Scope.APPROVE))
async def decide_change(key: Key, case_id: str, body: ChangeDecisionBody, parts: UseParts, caller: UseCaller) -> Answer:
    view = await _view(parts, key)
    action = Action.ACCEPT_CHANGE if body.action == "accept" else Action.DECLINE_CHANGE
    wish = DecideChange(
        action=action, case_id=case_id, actor=caller.name, note=body.note, patch=_patch(body.patch, view)
    )
    client = await parts.engine.client()
    return await _asked(parts, key, action, temporal.decide_change_request(client, key, wish))


@router.post("/{key}/cancel", summary="Discard the draft, or void the invoice", **needs(Scope.APPROVE))
async def cancel(key: Key, body: CancelBody, parts: UseParts, caller: UseCaller) -> Answer:
    await _view(parts, key)
    wish = Cancel(actor=caller.name, reason=body.reason)
    client = await parts.engine.client()
    return await _asked(parts, key, Action.CANCEL, temporal.cancel(client, key, wish))


@router.post("/{key}/retry", summary="Resume a parked invoice, or abandon it", **needs(Scope.APPROVE))
async def retry(key: Key, body: RetryBody, parts: UseParts, caller: UseCaller) -> Answer:
    view = await _view(parts, key)
    wish = Retry(actor=caller.name, reason=body.reason, patch=_patch(body.patch, view), abandon=body.abandon)
    action = Action.ABANDON if body.abandon else Action.RETRY
    client = await parts.engine.client()
    return await _asked(parts, key, action, temporal.retry(client, key, wish))


async def _view(parts: Parts, key: str) -> InvoiceView:
    async with parts.database.session() as session:
        view = await invoices.get_view(session, key)
    if view is None:
        raise NotFound(f"no invoice {key!r}", next_step="the keys are listed by GET /invoices")
    return view


def _patch(body: PatchBody | None, view: InvoiceView) -> Patch | None:
    return None if body is None else body.to_patch(view.currency)


async def _asked(parts: Parts, key: str, action: Action, update: Awaitable[Answer]) -> Answer:
    """The workflow's answer; where none runs, what our records say of why."""
    try:
        return await update
    except NoSuchWorkflow as error:
        view = await _view(parts, key)
        if Status(view.status).is_end or view.status == Status.DRAFTING:
            raise NotPossible(action.value, view.status, ", ".join(view.available_actions) or "nothing") from error
        raise Conflict(
            f"no workflow runs for {key}, though it is {view.status}",
            next_step="look for it in the Temporal UI; it was terminated there, or belongs to another namespace",
        ) from error
