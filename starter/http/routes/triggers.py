"""The triggers: one call per billing motion. 202 says that the intent is registered, and so will be billed once."""

from fastapi import APIRouter
from pydantic import BaseModel

from billing.motions import (
    MilestoneTrigger,
    OverageTrigger,
    ProjectTrigger,
    QuoteTrigger,
    Trigger,
    UsageTrigger,
)
from records.tokens import Scope
from starter.agents.gate import drafting
from starter.http.auth import Caller, GuardedRoute, UseCaller, needs
from starter.http.parts import Parts, UseParts
from starter.triggers import trigger

router = APIRouter(prefix="/triggers", tags=["triggers"], route_class=GuardedRoute)


class Accepted(BaseModel):
    """`created` is false if the same key and payload came before."""

    key: str
    workflow_id: str
    created: bool
    invoice_url: str


@router.post("/milestone", status_code=202, summary="A milestone is done", **needs(Scope.TRIGGER, or_agent=True))
async def milestone(body: MilestoneTrigger, parts: UseParts, caller: UseCaller) -> Accepted:
    return await take(body, parts, caller)


@router.post("/project", status_code=202, summary="A project is finished", **needs(Scope.TRIGGER, or_agent=True))
async def project(body: ProjectTrigger, parts: UseParts, caller: UseCaller) -> Accepted:
    return await take(body, parts, caller)


@router.post("/quote", status_code=202, summary="A quote is signed", **needs(Scope.TRIGGER, or_agent=True))
async def quote(body: QuoteTrigger, parts: UseParts, caller: UseCaller) -> Accepted:
    return await take(body, parts, caller)


@router.post(
    "/overage", status_code=202, summary="A meter passed its included quantity", **needs(Scope.TRIGGER, or_agent=True)
)
async def overage(body: OverageTrigger, parts: UseParts, caller: UseCaller) -> Accepted:
    return await take(body, parts, caller)


@router.post(
    "/usage", status_code=202, summary="A subscription's period is over", **needs(Scope.TRIGGER, or_agent=True)
)
async def usage(body: UsageTrigger, parts: UseParts, caller: UseCaller) -> Accepted:
    return await take(body, parts, caller)


async def take(body: Trigger, parts: Parts, caller: Caller) -> Accepted:
    """Register and start what `caller` triggers. An agent drafts for its own customers, and what it drafts is held."""
    intent = body.to_intent(triggered_by=caller.name)
    if caller.grant is not None:
        intent = drafting(caller.grant, intent)
    done = await trigger(parts.database, parts.engine, parts.dispatcher, intent, parts.settings.task_queue)
    parts.metrics.triggers.labels(intent.motion.value, "created" if done.created else "known").inc()
    return Accepted(
        key=done.key,
        workflow_id=done.key,
        created=done.created,
        invoice_url=f"{parts.settings.public_url.rstrip('/')}/invoices/{done.key}",
    )
