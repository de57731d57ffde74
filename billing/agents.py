"""What an agent may do by itself: the rule behind its token, pure, so that every door and the workflow read the same.

An agent drafts and proposes. What it drafted goes out at its own wish only where the policy asks for nobody and the
total is within its limit in that currency; whatever else it asks for is a proposal, and a person decides.
"""

from typing import Final

from pydantic import Field

from billing.assessment import Reason
from billing.decisions import Action
from billing.models import Exact
from billing.money import Money
from billing.record import Status

HELD: Final = "agent_draft"
LIMIT: Final = "agent_limit"
OF_AGENTS: Final = frozenset({HELD, LIMIT})
MOST_PROPOSALS: Final = 100
# Of one invoice: far more than a talk about it needs, and a timeline that a person can still read.


class Grant(Exact):
    """What the live token of an agent allows: for which customers it works, and the largest total per currency, in
    minor units, that goes out without a person."""

    name: str
    limits: dict[str, int] = Field(default_factory=dict)
    customers: tuple[str, ...] = ()

    def serves(self, customer_id: str) -> bool:
        return customer_id in self.customers


def hold(agent: str, grant: Grant | None, customer_id: str, total: Money, *, asked: bool) -> Reason | None:
    """Why what `agent` drafted is not issued by the policy alone; None where it is.

    `grant` is that of its live token, None where there is none any more; `asked` if it asks for this revision.
    """
    words = _beyond(grant, customer_id, total)
    if words:
        return Reason(rule=LIMIT, text=f"{agent}, an agent, drafted it and {words}: a person must decide.")
    if not asked:
        words = f"{agent}, an agent, drafted it: it goes out when {agent} asks for it, or a person approves it."
        return Reason(rule=HELD, text=words)
    return None


def _beyond(grant: Grant | None, customer_id: str, total: Money) -> str:
    """Empty if `grant` covers it; else what of it does not, in words."""
    if grant is None:
        return "has no live token"
    if not grant.serves(customer_id):
        return f"may not bill {customer_id}"
    limit = grant.limits.get(total.currency)
    if limit is None:
        return f"has no limit in {total.currency}"
    if total.minor > limit:
        return f"{total} is over its limit of {Money(minor=limit, currency=total.currency)}"
    return ""


def with_hold(reasons: tuple[Reason, ...], found: Reason | None) -> tuple[Reason, ...]:
    """All reasons together. Where a person must decide anyway, nothing waits for the agent."""
    if found is None or (reasons and found.rule == HELD):
        return reasons
    return (*reasons, found)


def open_to_agents(status: Status, *, approved: bool = False, is_own_draft: bool = False) -> tuple[Action, ...]:
    """What an agent can propose now; `is_own_draft` if it drafted the version that waits."""
    if approved:
        return ()
    if status is Status.AWAITING_APPROVAL:
        return (Action.REVISE_DRAFT, Action.REQUEST_ISSUE) if is_own_draft else (Action.REQUEST_ISSUE,)
    return (Action.PROPOSE_ANSWER,) if status is Status.CHANGE_REQUESTED else ()
