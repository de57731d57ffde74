"""Who may decide: one answer for the API, the desk, the command line, signals from the Temporal UI and agents."""

from collections.abc import Collection
from typing import Final

from billing.decisions import Action
from billing.money import Money
from billing.policy import Approver, Policy, limit_in

_BOUND: Final = frozenset({Action.APPROVE, Action.REJECT})
# Bound by limit and by who triggered it. Anything else changes no amount that nobody approves afterwards.


def refusal(
    policy: Policy,
    actor: str,
    action: Action,
    *,
    total: Money,
    triggered_by: str,
    live: Collection[str],
    approved_by: Collection[str] = (),
) -> str:
    """Empty if `actor` may do `action` to an invoice over `total`; else why not, in words.

    `live` are the names of live tokens with scope approve, `approved_by` those who said yes to this revision already.
    """
    if not actor or actor not in live:
        return f"{actor!r} is no approver; approvers hold a live token with scope approve"
    named = policy.approver(actor)
    if policy.approvers and named is None:
        return f"the policy does not name {actor} as an approver"
    if action not in _BOUND:
        return ""
    if actor == triggered_by:
        return f"{actor} triggered this invoice, and nobody approves what he triggered himself"
    if action is Action.APPROVE and actor in approved_by:
        return f"{actor} has approved this revision already; a second person must"
    return "" if named is None else _over_limit(named, total)


def _over_limit(approver: Approver, total: Money) -> str:
    if approver.limits is None:
        return ""
    limit = limit_in(approver.limits, total.currency)
    if limit is None:
        return f"the policy gives {approver.name} no limit in {total.currency}"
    if total.major > limit:
        return f"{total} is over {approver.name}'s limit of {limit:,f} {total.currency}"
    return ""
