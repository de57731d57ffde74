"""The rules: a policy, what we mean to bill and what we know of the customer go in, an assessment comes out.

Pure. Every assessment carries the hash of the policy that made it and all that it saw (`inputs`), so that it can be
explained years later, and judged again under another policy.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from billing.agents import HELD, with_hold
from billing.approvers import Choice, Standing, chosen
from billing.assessment import Assessment, History, Reason, Segment
from billing.deadlines import Calendar, add_business_time
from billing.intent import Motion
from billing.money import Money, half_up
from billing.policy import ChangeHistory, Policy

_REMEMBERED: Final = timedelta(days=3650)
# How far back the inputs name change requests: the longest window that a policy can ask for.


def assess(
    policy: Policy,
    *,
    motion: Motion,
    total: Money,
    history: History,
    now: datetime,
    scope: str = "",
    standing: Standing | None = None,
    agent: Reason | None = None,
) -> Assessment:
    """What `policy` says of an invoice over `total` to a customer with `history`, at `now` (aware UTC).

    Without a `standing` it is put to whom the rules name, whether he may approve it or not. `agent` is why an agent's
    draft is held; where that alone is the reason it is put to nobody yet.
    """
    lately = _changes_lately(policy.change_history, history, now)
    found = (
        _over_threshold(policy, total),
        _second_limit(policy, total),
        _always(policy, motion),
        _first_enterprise(policy, history),
        _other_currency(policy, total, history),
        _asked_before(policy, lately),
        _unusual_usage(policy, motion, total, history),
    )
    reasons = with_hold(tuple(reason for reason in found if reason), agent)
    named = _assignee(policy, motion, history, total)
    is_held = [reason.rule for reason in reasons] == [HELD]
    choice = Choice() if is_held else _choice(policy, named, total, standing)
    told = {"agent": agent.model_dump()} if agent else {}
    return Assessment(
        automatic=not reasons,
        policy_hash=policy.content_hash,
        reasons=reasons,
        inputs=told
        | _inputs(policy, motion=motion, total=total, history=history, lately=len(lately), now=now, scope=scope),
        approvals_needed=policy.approvals_needed(total),
        follow_up_after=timedelta(days=policy.follow_up.after_days) or None,
        calendar=policy.business_hours,
        assignee_reason=choice.reason if reasons else "",
        **_people(policy, named, choice.name),
        **(approval_times(policy, choice.name, now) if reasons else {}),
    )


def approval_times(policy: Policy, assignee: str, now: datetime) -> dict[str, datetime | None]:
    """When whoever is to decide is reminded, when it is escalated and when it lapses, by his own calendar."""
    steps, calendar = policy.approval, policy.calendar_of(assignee)
    return {
        "remind_at": _after(now, steps.remind_after_hours, calendar),
        "escalate_at": _after(now, steps.escalate_after_hours, calendar),
        "expire_at": _after(now, steps.expire_after_hours, calendar),
    }


def _after(start: datetime, hours: int, calendar: Calendar) -> datetime | None:
    return add_business_time(start, timedelta(hours=hours), calendar) if hours else None


def _assignee(policy: Policy, motion: Motion, history: History, total: Money) -> str:
    """The first rule that fits names him."""
    fitting = (rule.to for rule in policy.assign if rule.fits(motion, history.segment, total))
    return next(fitting, policy.approval.assignee)


def _choice(policy: Policy, named: str, total: Money, standing: Standing | None) -> Choice:
    """Whom the rules name, if he may; else whom it would be escalated to. Where they name nobody, anyone may."""
    if not named or standing is None:
        return Choice(named)
    return chosen(policy, (named, policy.approval.escalate_to), total, standing)


def _people(policy: Policy, named: str, assignee: str) -> dict[str, Any]:
    """A change request is `named`'s also where the approval could not be put to him: that binds approving alone."""
    owner = policy.cases.owner or named
    escalate_to, case_escalate_to = policy.approval.escalate_to, policy.cases.escalate_to or policy.approval.escalate_to
    return {
        "assignee": assignee,
        "assignee_mail": policy.mail_of(assignee),
        "assignee_calendar": policy.calendar_of(assignee),
        "escalate_to": escalate_to,
        "expiry": policy.approval.on_expiry,
        "case_owner": owner,
        "case_owner_mail": policy.mail_of(owner),
        "case_calendar": policy.calendar_of(owner),
        "case_escalate_to": case_escalate_to,
        "case_escalate_mail": policy.mail_of(case_escalate_to),
        "case_deadline_hours": policy.cases.deadline_hours,
        "case_warn_hours": policy.cases.warn_before_hours,
    }


def _inputs(
    policy: Policy, *, motion: Motion, total: Money, history: History, lately: int, now: datetime, scope: str
) -> dict[str, Any]:
    asked = sorted(at for at in history.change_requests if now - _REMEMBERED <= at <= now)
    return {
        "motion": motion.value,
        "scope": scope,
        "total_minor": total.minor,
        "currency": total.currency,
        "threshold": str(policy.threshold(total.currency)),
        "segment": history.segment.value,
        "customer_currency": history.currency,
        "invoices_issued": history.invoices_issued,
        "change_requests_lately": lately,
        "change_requests": [at.isoformat() for at in asked],
        "usage_minor": list(history.usage_minor),
        "now": now.isoformat(),
    }


def seen(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `assess` was told when it kept these `inputs`, as its arguments; None where they do not hold all of it."""
    try:
        return {
            "motion": Motion(inputs["motion"]),
            "total": Money(minor=inputs["total_minor"], currency=inputs["currency"]),
            "history": History(
                invoices_issued=inputs["invoices_issued"],
                change_requests=tuple(datetime.fromisoformat(at) for at in inputs["change_requests"]),
                segment=inputs["segment"],
                currency=inputs.get("customer_currency", ""),
                usage_minor=tuple(inputs["usage_minor"]),
            ),
            "now": datetime.fromisoformat(inputs["now"]),
            "scope": inputs["scope"],
        } | ({"agent": Reason.model_validate(inputs["agent"])} if "agent" in inputs else {})
    except KeyError:
        return None


def _over_threshold(policy: Policy, total: Money) -> Reason | None:
    limit = policy.threshold(total.currency)
    if total.major <= limit:
        return None
    words = f"The total of {total} is over {limit:,f} {total.currency}, the most that goes out without a person's look."
    return Reason(rule="over_threshold", text=words)


def _second_limit(policy: Policy, total: Money) -> Reason | None:
    if policy.approvals_needed(total) == 1:
        return None
    return Reason(rule="second_limit", text=f"The total of {total} is over the second limit: two people must approve.")


def _always(policy: Policy, motion: Motion) -> Reason | None:
    if motion not in policy.motions.always:
        return None
    return Reason(rule="motion", text=f"Every {motion.value} invoice waits for a person.")


def _first_enterprise(policy: Policy, history: History) -> Reason | None:
    if not policy.first_enterprise_invoice.ask:
        return None
    if history.segment is not Segment.ENTERPRISE or history.invoices_issued:
        return None
    return Reason(rule="first_enterprise_invoice", text="This is the first invoice to an enterprise customer.")


def _other_currency(policy: Policy, total: Money, history: History) -> Reason | None:
    if not policy.other_currency.ask or history.currency in {"", total.currency}:
        return None
    words = f"The invoice is in {total.currency}, and the customer's record says {history.currency}."
    return Reason(rule="other_currency", text=words)


def _changes_lately(rule: ChangeHistory, history: History, now: datetime) -> list[datetime]:
    since = now - timedelta(days=rule.days)
    return sorted(at for at in history.change_requests if since <= at <= now)


def _asked_before(policy: Policy, lately: list[datetime]) -> Reason | None:
    rule = policy.change_history
    if not rule.count or len(lately) < rule.count:
        return None
    times = "once" if len(lately) == 1 else f"{len(lately)} times"
    words = (
        f"The customer asked for changes {times} in the last {rule.days} days, most recently on {lately[-1]:%Y-%m-%d}."
    )
    return Reason(rule="change_history", text=words)


def _unusual_usage(policy: Policy, motion: Motion, total: Money, history: History) -> Reason | None:
    """Off the trailing mean by more than the factor, up or down."""
    rule, factor = policy.usage_variance, Decimal(policy.usage_variance.factor)
    lately = history.usage_minor[: rule.invoices]
    if motion is not Motion.USAGE or not factor or len(lately) < rule.at_least:
        return None
    summed, now = sum(lately), total.minor * len(lately)
    # Multiplied out: no mean is rounded before it is compared.
    if summed <= factor * now and now <= factor * summed:
        return None
    mean = Money(minor=half_up(Decimal(summed) / len(lately)), currency=total.currency)
    where = "over" if now > summed else "under"
    words = f"The usage total of {total} is {where} {rule.factor} times off {mean}, the mean of the last {len(lately)}."
    return Reason(rule="usage_variance", text=words)
