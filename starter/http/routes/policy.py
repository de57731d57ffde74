"""The policy that is in force, what it would do to a trigger, and what another one would have done."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from billing.intent import Motion
from billing.motions import Moment
from billing.policy import Policy
from billing.simulating import Simulation
from records.tokens import Scope
from starter import policies
from starter.http.auth import GuardedRoute, UseCaller, needs
from starter.http.parts import UseParts
from starter.policies import Explanation

router = APIRouter(prefix="/policy", tags=["policy"], route_class=GuardedRoute)


class PolicyView(BaseModel):
    """`content_hash` names the policy in every assessment that it made."""

    content_hash: str
    policy: dict[str, Any]


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExplainBody(_Wish):
    """A trigger as `POST /triggers/{motion}` takes it."""

    motion: Motion
    trigger: dict[str, Any]


class SimulateBody(_Wish):
    """Another policy.toml as text, and from when on recorded assessments are judged by it."""

    policy: Annotated[str, Field(max_length=200_000)]
    since: Moment


@router.get("", summary="The policy in force", **needs(Scope.READ))
async def get_policy(parts: UseParts) -> PolicyView:
    return PolicyView(content_hash=parts.policy.content_hash, policy=parts.policy.model_dump(mode="json"))


@router.post("/explain", summary="What would happen to a trigger; nothing is started", **needs(Scope.READ))
async def explain(body: ExplainBody, parts: UseParts, caller: UseCaller) -> Explanation:
    return await policies.explain(parts.database, parts.policy, body.motion, body.trigger, caller.name)


@router.post("/simulate", summary="Recorded assessments under another policy", **needs(Scope.READ))
async def simulate(body: SimulateBody, parts: UseParts) -> Simulation:
    """A policy that cannot be used is a 422 that names its key and line."""
    return await policies.simulate(parts.database, Policy.parse(body.policy), body.since)
