"""The policy: when an invoice may go out by itself, when a person must look first, who that may be and by when.

Pure: a policy, what we mean to bill, and what we know of the customer go in; an assessment with its reasons comes out.
Every assessment carries the hash of the policy that made it and the inputs that it saw, so that it can be explained
years later.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError, model_validator

from billing.deadlines import Calendar, add_business_time
from billing.errors import BadInput
from billing.intent import Motion, canonical_hash
from billing.money import Money, parse_decimal
from billing.policy_file import complaint, load_toml

DEFAULT_THRESHOLD: Final = "25000.00"
# In the currency of the invoice, whichever it is: too strict for a small unit rather than too lax for a large one.
_DEFAULT: Final = "default"

Hours = Annotated[StrictInt, Field(ge=0, le=2000)]
Days = Annotated[StrictInt, Field(ge=0, le=3650)]
Limits = dict[str, str]


class Segment(StrEnum):
    STANDARD = "standard"
    ENTERPRISE = "enterprise"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class History(_Frozen):
    """What we know of a customer: invoices issued so far, and when he asked for changes (aware times)."""

    invoices_issued: int = 0
    change_requests: tuple[datetime, ...] = ()
    segment: Segment = Segment.STANDARD


class Reason(_Frozen):
    """Why a person must look: the rule's name, and what it found in words."""

    rule: str
    text: str


class CaseTimes(_Frozen):
    """When an open change request is due, when its owner is reminded (half of the time) and warned; aware UTC."""

    remind_at: datetime
    warn_at: datetime | None
    deadline: datetime


class Expiry(StrEnum):
    """What becomes of a draft that nobody decided on in time: thrown away, or kept waiting with the lapse on record."""

    DISCARD = "discard"
    KEEP = "keep"


class Assessment(BaseModel):
    """What the policy says of one revision. `automatic` if and only if there are no reasons.

    The times (aware UTC) are None where nobody has to decide or the policy sets none. `approvals_needed` different
    people must say yes: two, over the second limit. `assignee` may be empty: anyone who may approve. A `*_mail` is the
    address of the person before it, empty where the policy names none. The rest is what the workflow needs later, when
    the policy may have changed: `calendar` for mails to recipients, the others for their people.
    """

    # It lives in histories and records for years: a field that has gone since is no error.
    model_config = ConfigDict(frozen=True, extra="ignore")

    automatic: bool
    policy_hash: str
    reasons: tuple[Reason, ...] = ()
    inputs: dict[str, Any] = {}
    approvals_needed: int = 1
    assignee: str = ""
    assignee_mail: str = ""
    escalate_to: str = ""
    escalate_mail: str = ""
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    expire_at: datetime | None = None
    expiry: Expiry = Expiry.DISCARD
    follow_up_after: timedelta | None = None
    case_owner: str = ""
    case_owner_mail: str = ""
    case_escalate_to: str = ""
    case_escalate_mail: str = ""
    case_deadline_hours: int = 16
    case_warn_hours: int = 2
    calendar: Calendar = Calendar()
    assignee_calendar: Calendar = Calendar()
    case_calendar: Calendar = Calendar()

    def case_times(self, opened_at: datetime) -> CaseTimes:
        """For a case opened then, in business hours."""
        whole = timedelta(hours=self.case_deadline_hours)
        warned = timedelta(hours=self.case_deadline_hours - self.case_warn_hours)
        return CaseTimes(
            remind_at=add_business_time(opened_at, whole / 2, self.case_calendar),
            warn_at=add_business_time(opened_at, warned, self.case_calendar) if self.case_warn_hours else None,
            deadline=add_business_time(opened_at, whole, self.case_calendar),
        )

    def follow_up_at(self, sent_at: datetime) -> datetime | None:
        """When to ask "did you get it": the delay, then the next moment at which people work."""
        if self.follow_up_after is None:
            return None
        return add_business_time(sent_at + self.follow_up_after, timedelta(0), self.calendar)


class FirstEnterpriseInvoice(_Frozen):
    ask: StrictBool = True


class ChangeHistory(_Frozen):
    """Ask if the customer asked for changes `count` times or more within the last `days`; a count of 0 never asks."""

    count: Annotated[StrictInt, Field(ge=0, le=1000)] = 1
    days: Annotated[StrictInt, Field(ge=1, le=3650)] = 365


class Approval(_Frozen):
    """Whom an open approval is put to, and business hours until each step; 0 leaves a step out."""

    assignee: str = ""
    escalate_to: str = ""
    remind_after_hours: Hours = 4
    escalate_after_hours: Hours = 16
    expire_after_hours: Hours = 80


class FollowUp(_Frozen):
    """Calendar days from sending to the one "did you get it" mail; 0 sends none."""

    after_days: Days = 3


class Cases(_Frozen):
    """Change requests: the owner, and business hours until the deadline and from the warning (0: none) to it.

    The reminder comes at half of the time.
    """

    owner: str = ""
    warn_before_hours: Hours = 2
    deadline_hours: Annotated[StrictInt, Field(ge=1, le=2000)] = 16

    @model_validator(mode="after")
    def _warned_in_time(self) -> Self:
        if self.warn_before_hours >= self.deadline_hours:
            raise BadInput("cases.warn_before_hours", "the warning comes before the case is opened", "make it shorter")
        return self


class Approver(_Frozen):
    """One who may approve. No `limits`: any amount. With limits, a currency that has none is not his to approve."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    limits: Limits | None = None


class Policy(_Frozen):
    """policy.toml, read. `Policy()` is what holds without a file.

    `thresholds` by currency, and `default` for the others, in major units as decimal strings. `approvers` narrows who
    of the live tokens with scope `approve` may decide; none named: all of them.
    """

    thresholds: Limits = {}
    first_enterprise_invoice: FirstEnterpriseInvoice = FirstEnterpriseInvoice()
    change_history: ChangeHistory = ChangeHistory()
    approval: Approval = Approval()
    approvers: tuple[Approver, ...] = ()
    follow_up: FollowUp = FollowUp()
    cases: Cases = Cases()
    business_hours: Calendar = Calendar()

    @model_validator(mode="after")
    def _amounts(self) -> Self:
        _check_limits(self.thresholds, "thresholds")
        names = [approver.name for approver in self.approvers]
        for index, approver in enumerate(self.approvers):
            _check_limits(approver.limits or {}, f"approvers.{index}.limits")
            if approver.name in names[:index]:
                raise BadInput(f"approvers.{index}.name", f"{approver.name!r} is named twice")
        return self

    @model_validator(mode="after")
    def _people(self) -> Self:
        known = {approver.name for approver in self.approvers}
        for field in ("assignee", "escalate_to"):
            name = getattr(self.approval, field)
            if known and name and name not in known:
                raise BadInput(f"approval.{field}", f"{name!r} is not among the approvers")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """The policy of a TOML text. Raises BadInput naming the key, and the line where it can be found."""
        content = load_toml(text)
        try:
            return cls.model_validate(content)
        except (ValidationError, BadInput) as error:
            raise complaint(error, text) from None

    @property
    def content_hash(self) -> str:
        """Names this policy by what it says, not by how the file is laid out; 16 hex digits."""
        return canonical_hash(self.model_dump(mode="json"))[:16]

    def threshold(self, currency: str) -> Decimal:
        """The largest total, in major units, that goes out without a person."""
        return Decimal(self.thresholds.get(currency) or self.thresholds.get(_DEFAULT) or DEFAULT_THRESHOLD)

    def may_approve(self, actor: str, *, total: Money, triggered_by: str, live_approvers: Collection[str]) -> str:
        """Empty if `actor` may decide on `total`; else the refusal in words."""
        if not actor or actor not in live_approvers:
            return f"{actor!r} is no approver; approvers hold a live token with scope approve"
        if actor == triggered_by:
            return f"{actor} triggered this invoice, and nobody approves what he triggered himself"
        if not self.approvers:
            return ""
        named = next((approver for approver in self.approvers if approver.name == actor), None)
        if named is None:
            return f"the policy does not name {actor} as an approver"
        return _over_limit(named, total)


def assess(policy: Policy, *, motion: Motion, total: Money, history: History, now: datetime) -> Assessment:
    """What `policy` says of an invoice over `total` to a customer with `history`, at `now` (aware UTC)."""
    lately = _changes_lately(policy.change_history, history, now)
    found = (_over_threshold(policy, total), _first_enterprise(policy, history), _asked_before(policy, lately))
    reasons = tuple(reason for reason in found if reason)
    times = _approval_times(policy, now) if reasons else {}
    return Assessment(
        automatic=not reasons,
        policy_hash=policy.content_hash,
        reasons=reasons,
        inputs=_inputs(policy, motion=motion, total=total, history=history, lately=len(lately), now=now),
        assignee=policy.approval.assignee,
        escalate_to=policy.approval.escalate_to,
        follow_up_after=timedelta(days=policy.follow_up.after_days) or None,
        case_owner=policy.cases.owner or policy.approval.assignee,
        case_deadline_hours=policy.cases.deadline_hours,
        case_warn_hours=policy.cases.warn_before_hours,
        calendar=policy.business_hours,
        assignee_calendar=policy.business_hours,
        case_calendar=policy.business_hours,
        **times,
    )


def _inputs(
    policy: Policy, *, motion: Motion, total: Money, history: History, lately: int, now: datetime
) -> dict[str, Any]:
    return {
        "motion": motion.value,
        "total_minor": total.minor,
        "currency": total.currency,
        "threshold": str(policy.threshold(total.currency)),
        "segment": history.segment.value,
        "invoices_issued": history.invoices_issued,
        "change_requests_lately": lately,
        "now": now.isoformat(),
    }


def _over_threshold(policy: Policy, total: Money) -> Reason | None:
    limit = policy.threshold(total.currency)
    if total.major <= limit:
        return None
    words = f"The total of {total} is over {limit:,f} {total.currency}, the most that goes out without a person's look."
    return Reason(rule="over_threshold", text=words)


def _first_enterprise(policy: Policy, history: History) -> Reason | None:
    if not policy.first_enterprise_invoice.ask:
        return None
    if history.segment is not Segment.ENTERPRISE or history.invoices_issued:
        return None
    return Reason(rule="first_enterprise_invoice", text="This is the first invoice to an enterprise customer.")


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


def _approval_times(policy: Policy, now: datetime) -> dict[str, datetime | None]:
    steps = policy.approval
    return {
        "remind_at": _after(now, steps.remind_after_hours, policy.business_hours),
        "escalate_at": _after(now, steps.escalate_after_hours, policy.business_hours),
        "expire_at": _after(now, steps.expire_after_hours, policy.business_hours),
    }


def _after(start: datetime, hours: int, calendar: Calendar) -> datetime | None:
    return add_business_time(start, timedelta(hours=hours), calendar) if hours else None


def _check_limits(limits: Limits, field: str) -> None:
    """Raises BadInput naming the key of an amount that is none, is negative or has too many decimals."""
    for currency, text in limits.items():
        at = f"{field}.{currency}"
        value = parse_decimal(text, at) if currency == _DEFAULT else _amount(text, currency, at)
        if value < 0:
            raise BadInput(at, f"{text} is negative")


def _amount(text: str, currency: str, field: str) -> Decimal:
    try:
        return Money.parse(text, currency, field).major
    except BadInput as error:
        raise BadInput(field, error.cause) from None


def _over_limit(approver: Approver, total: Money) -> str:
    if approver.limits is None:
        return ""
    limit = approver.limits.get(total.currency) or approver.limits.get(_DEFAULT)
    if limit is None:
        return f"the policy gives {approver.name} no limit in {total.currency}"
    if total.major > Decimal(limit):
        return f"{total} is over {approver.name}'s limit of {Decimal(limit):,f} {total.currency}"
    return ""
