"""Who may decide, and whom it is put to: one answer for the API, the desk, the command line, signals from the Temporal
UI and agents."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from billing.decisions import Action
from billing.money import Money
from billing.policy import Approver, Policy, limit_in

_BOUND: Final = frozenset({Action.APPROVE, Action.REJECT})
# Bound by limit and by who triggered it. Anything else changes no amount that nobody approves afterwards.
_ANYONE: Final = "anyone who may approve"


@dataclass(frozen=True)
class Standing:
    """What decides beside the policy who may approve: who triggered the invoice, the names of live tokens with scope
    approve, and who said yes to this revision already."""

    triggered_by: str
    live: Collection[str]
    approved_by: Collection[str] = ()


@dataclass(frozen=True)
class Choice:
    """Whom an approval is put to; empty: anyone who may approve. `reason` says so in words, and why, where that is not
    the first who was named for it."""

    name: str = ""
    reason: str = ""


def chosen(policy: Policy, named: Iterable[str], total: Money, standing: Standing) -> Choice:
    """The first of `named` who may approve an invoice over `total`; anyone who may, where none of them may."""
    passed: list[str] = []
    for name in dict.fromkeys(filter(None, named)):
        words = may_not_approve(policy, name, total, standing)
        if not words:
            return Choice(name, _instead(name, passed))
        passed.append(words)
    return Choice("", _instead(_ANYONE, passed))


def _instead(whom: str, passed: list[str]) -> str:
    return f"put to {whom} instead, since {', and since '.join(passed)}" if passed else ""


def may_not_approve(policy: Policy, name: str, total: Money, standing: Standing) -> str:
    """Empty if `name` may say yes to it; else why not, in words."""
    return refusal(
        policy,
        name,
        Action.APPROVE,
        total=total,
        triggered_by=standing.triggered_by,
        live=standing.live,
        approved_by=standing.approved_by,
    )


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
