"""The gate on the server: what an agent's token opens, looked at once per call, by whatever door it comes.

Three things are asked of a token at the door: that it lives, that it is an agent's, and that the customer is one of its
own. How much goes out without a person is asked where everything is assessed (billing/agents.py, by the worker), so
that neither a door nor a prompt has a word in it.
"""

from typing import Final

import structlog

from billing.agents import Grant
from billing.errors import Forbidden, NotFound
from billing.intent import Intent, Motion
from starter.http.auth import Caller

MOTIONS: Final = (Motion.MILESTONE, Motion.PROJECT, Motion.QUOTE, Motion.OVERAGE)

log = structlog.get_logger(__name__)


def agent_of(caller: Caller) -> Grant:
    """Raises Forbidden for whoever is no agent: people and programs have the HTTP API."""
    if caller.grant is None:
        raise Forbidden(
            f"the token {caller.name!r} is no agent's", next_step="billhook token create NAME --scope agent ..."
        )
    return caller.grant


def drafting(grant: Grant, intent: Intent) -> Intent:
    """`intent` as this agent's, which is what holds it later. Raises Forbidden for a customer that is not its own, for
    usage, and for a deal: whose it is nobody here can tell, and billing marks it in the CRM."""
    _check(grant, intent.customer_id)
    if intent.motion not in MOTIONS:
        raise Forbidden("usage is billed by the monthly run", next_step=f"use one of {', '.join(MOTIONS)}")
    if intent.deal_id is not None:
        raise Forbidden(f"{grant.name} may mark no deal billed", field="deal_id", next_step="leave deal_id out")
    source = intent.source.model_copy(update={"triggered_by": grant.name, "by_agent": True})
    return intent.model_copy(update={"source": source})


def asked_for(grant: Grant, customer_id: str) -> str:
    """The customer that it asks about. Raises Forbidden for one that is not its own."""
    _check(grant, customer_id)
    return customer_id


def sees(grant: Grant, key: str, customer_id: str | None) -> None:
    """Whether it may look at the invoice of `customer_id` (None: there is none). Raises NotFound in the same words for
    one that is not there and one that is another's, so that nobody sees by asking what others have."""
    if customer_id is None or not grant.serves(customer_id):
        if customer_id is not None:
            log.warning("agent_refused", agent=grant.name, customer_id=customer_id)
        raise NotFound(f"no invoice {key!r} of your customers", next_step="call list_invoices for those you can see")


def _check(grant: Grant, customer_id: str) -> None:
    if not grant.serves(customer_id):
        log.warning("agent_refused", agent=grant.name, customer_id=customer_id)
        own = ", ".join(sorted(grant.customers))
        raise Forbidden(
            f"{grant.name} may not bill {customer_id!r}", field="customer_id", next_step=f"its customers are {own}"
        )
