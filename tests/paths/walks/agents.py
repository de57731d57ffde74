"""Walks on which an LLM agent drafts and proposes."""

from typing import Any

from billing.decisions import Action
from billing.intent import Discount, Patch
from tests.paths.agents import drafts, wishes
from tests.paths.walks.walk import walk
from tests.paths.world import World


def _waits_for(rule: str, world_view: dict[str, Any]) -> bool:
    reasons = [reason["rule"] for reason in (world_view["assessment"] or {"reasons": []})["reasons"]]
    return world_view["status"] == "awaiting_approval" and reasons == [rule]


@walk()
async def drafted_by_an_agent(world: World) -> str:
    """It drafts within its limit, revises, and asks for the issue, which the policy then grants."""
    key = await drafts(world, amount="4000.00")
    first = await world.seen(key, lambda view: _waits_for("agent_draft", view))
    less = Patch(discount=Discount.model_validate({"type": "percent", "value": "10"}))
    await wishes(world, key, Action.REVISE_DRAFT, revision=first["revision"], patch=less)
    revised = await world.seen(
        key, lambda view: view["revision"] != first["revision"] and _waits_for("agent_draft", view)
    )
    await wishes(world, key, Action.REQUEST_ISSUE, revision=revised["revision"], note="as agreed")
    await world.sent(key)
    await world.approved(key)
    return key


@walk()
async def decided_over_an_agents_limit(world: World) -> str:
    """Over its limit a person decides, however it asks; so he does where it proposes how to answer a change request."""
    key = await drafts(world, amount="5000.01")
    waits = await world.seen(key, lambda view: _waits_for("agent_limit", view))
    await wishes(world, key, Action.REQUEST_ISSUE, revision=waits["revision"])
    await world.seen(key, lambda view: _waits_for("agent_limit", view))
    await world.decides(key, "approve")
    await world.sent(key)
    case = await world.asks_for_change(key, "cheaper")
    await wishes(world, key, Action.PROPOSE_ANSWER, case_id=case, answer=Action.DECLINE_CHANGE, note="it was agreed")
    await world.answers(key, case, "decline", note="as ordered")
    await world.until(key, "sent", "viewed")
    await world.approved(key)
    return key
