"""What the policy would say: of a trigger that nobody has sent yet, and of all that was assessed, were it another one.

Nothing here starts or writes anything.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from billing.agents import Grant, hold
from billing.approvers import Standing
from billing.assessing import assess
from billing.assessment import Assessment, History, Reason
from billing.errors import KeyTaken, UnknownCustomer
from billing.intent import Intent, Motion
from billing.motions import parse_trigger
from billing.policy import Policy
from billing.simulating import Simulating, Simulation
from billing.timely import check_times
from records import assessments, customers, intents, known, tokens
from records.session import Database
from starter.agents.gate import drafting


class Explanation(BaseModel):
    """What would happen to one trigger. `total` is a decimal string; `exists` if its key is registered already.
    `notes` are for whoever asks; they make nobody look."""

    key: str
    motion: Motion
    customer_id: str
    total: str
    currency: str
    exists: bool
    automatic: bool
    outcome: str
    policy_hash: str
    reasons: list[Reason]
    notes: list[str] = []
    approvals_needed: int
    assignee: str
    remind_at: datetime | None
    escalate_at: datetime | None
    expire_at: datetime | None


async def explain(  # noqa: PLR0917 - what a trigger is judged by
    database: Database,
    policy: Policy,
    motion: Motion,
    trigger: dict[str, Any],
    caller: str,
    agent: Grant | None = None,
) -> Explanation:
    """An `agent` is told what comes of it once it asks for the issue. Raises BadInput naming the field,
    UnknownCustomer, Forbidden for a customer that is not the agent's."""
    intent = parse_trigger(motion, trigger, triggered_by=caller)
    if agent is not None:
        intent = drafting(agent, intent)
    total, scope = intent.commercial.total, intent.source.scope
    async with database.session() as session:
        if await customers.get_customer(session, intent.customer_id) is None:
            raise UnknownCustomer(intent.customer_id)
        stands = await intents.get_intent(session, intent.key)
        history = await known.history(
            session, intent.customer_id, excluding=intent.key, scope=scope, currency=total.currency
        )
        standing = Standing(caller, await tokens.live_approvers(session))
    now = datetime.now(UTC)
    if stands is None:
        check_times(intent, now)
    found = assess(
        policy,
        motion=motion,
        total=total,
        history=history,
        now=now,
        scope=scope,
        standing=standing,
        agent=None if agent is None else hold(agent.name, agent, intent.customer_id, total, asked=True),
    )
    return Explanation(
        key=intent.key,
        motion=motion,
        customer_id=intent.customer_id,
        total=f"{total.major:f}",
        currency=total.currency,
        exists=stands is not None,
        automatic=found.automatic,
        outcome=_outcome(found, intent, stands),
        policy_hash=found.policy_hash,
        reasons=list(found.reasons),
        notes=_notes(policy, total.currency, history),
        approvals_needed=found.approvals_needed,
        assignee=found.assignee,
        remind_at=found.remind_at,
        escalate_at=found.escalate_at,
        expire_at=found.expire_at,
    )


def _notes(policy: Policy, currency: str, history: History) -> list[str]:
    """What nobody is asked about and somebody may still want to know."""
    if policy.other_currency.ask or history.currency in {"", currency}:
        return []
    return [f"The invoice is in {currency}, and the customer's record says {history.currency}."]


def _outcome(found: Assessment, intent: Intent, stands: Intent | None) -> str:
    if stands is not None and stands.payload_hash != intent.payload_hash:
        taken = KeyTaken(intent.key, stands.motion.value, other_motion=stands.motion != intent.motion)
        return f"It would be refused: {taken.detail}."
    if stands is not None:
        return "Nothing new: this key is registered already, with the same payload."
    if found.automatic and intent.source.by_agent:
        return "It would be drafted and wait for you to ask for its issue; then it would be issued and sent at once."
    if found.automatic:
        return "It would be drafted, issued and sent at once."
    people = "two different people" if found.approvals_needed > 1 else "a person"
    whom = f", put to {found.assignee}" if found.assignee else ""
    whom = f", {found.assignee_reason}" if found.assignee_reason else whom
    return f"It would be drafted and wait for {people} to approve{whom}."


async def simulate(database: Database, policy: Policy, since: datetime) -> Simulation:
    """Every invoice whose first assessment was made at `since` or later, judged by `policy`."""
    simulating = Simulating(policy, since)
    async with database.session() as session:
        async for one in assessments.since(session, since):
            simulating.add(one.key, one.assessed_at, one.body, one.changes_later)
            # A page of them takes longer than a sender at the door of the same process should wait.
            await asyncio.sleep(0)
    return simulating.result()
