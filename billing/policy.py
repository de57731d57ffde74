"""policy.toml: when an invoice may go out by itself, when a person must look first, who that may be and by when.

Only what the file says and whether it holds together; billing/assessing.py applies the rules, billing/approvers.py says
who may decide. Every amount is a decimal string in major units, by currency, with `default` for those not listed.
"""

from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, StrictBool, StrictInt, ValidationError, field_validator, model_validator

from billing.assessment import Expiry, Segment
from billing.deadlines import Calendar
from billing.errors import BadInput
from billing.intent import Motion, canonical_hash
from billing.models import Exact
from billing.money import Money, parse_decimal
from billing.toml_file import complaint, load_toml

DEFAULT_THRESHOLD: Final = "25000.00"
# In the currency of the invoice, whichever it is: too strict for a small unit rather than too lax for a large one.
_DEFAULT: Final = "default"

Hours = Annotated[StrictInt, Field(ge=0, le=2000)]
Days = Annotated[StrictInt, Field(ge=0, le=3650)]
Limits = dict[str, str]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class FirstEnterpriseInvoice(Exact):
    ask: StrictBool = True


class OtherCurrency(Exact):
    """Ask if the invoice is in another currency than the customer's record names; many bill in several."""

    ask: StrictBool = False


class ChangeHistory(Exact):
    """Ask if the customer asked for changes `count` times or more within the last `days`; a count of 0 never asks."""

    count: Annotated[StrictInt, Field(ge=0, le=1000)] = 1
    days: Annotated[StrictInt, Field(ge=1, le=3650)] = 365


class UsageVariance(Exact):
    """Ask if a usage total is over `factor` times the mean of the subscription's last `invoices`, or below its inverse.

    Silent until `at_least` of them were issued; a factor of 0 turns the rule off.
    """

    factor: str = "2"
    invoices: Annotated[StrictInt, Field(ge=1, le=36)] = 3
    at_least: Annotated[StrictInt, Field(ge=1, le=36)] = 2

    @model_validator(mode="after")
    def _sound(self) -> Self:
        factor = parse_decimal(self.factor, "usage_variance.factor")
        if factor != 0 and factor <= 1:
            raise BadInput("usage_variance.factor", f"{self.factor} is not over 1", 'write "0" to turn the rule off')
        if self.at_least > self.invoices:
            raise BadInput("usage_variance.at_least", f"{self.at_least} is more than invoices, {self.invoices}")
        return self


class Motions(Exact):
    """Motions that always want a person."""

    always: tuple[Motion, ...] = ()


class Assign(Exact):
    """Whom an approval is put to: every condition that is named must hold.

    `over` is a table as in thresholds, or one amount that holds in every currency.
    """

    to: Name
    motion: Motion | None = None
    segment: Segment | None = None
    over: Limits | None = None

    @field_validator("over", mode="before")
    @classmethod
    def _every_currency(cls, value: object) -> object:
        return {_DEFAULT: value} if isinstance(value, str) else value

    def fits(self, motion: Motion, segment: Segment, total: Money) -> bool:
        """Whether this rule speaks of such an invoice. A currency that `over` does not know is not over it."""
        if self.motion not in {None, motion} or self.segment not in {None, segment}:
            return False
        limit = None if self.over is None else limit_in(self.over, total.currency)
        return self.over is None or (limit is not None and total.major > limit)


class Approval(Exact):
    """Whom an open approval is put to where no rule says so, and business hours until each step; 0 leaves a step out.

    At its expiry the draft is discarded, or kept waiting.
    """

    assignee: str = ""
    escalate_to: str = ""
    remind_after_hours: Hours = 4
    escalate_after_hours: Hours = 16
    expire_after_hours: Hours = 80
    on_expiry: Expiry = Expiry.DISCARD


class FollowUp(Exact):
    """Calendar days from sending to the one "did you get it" mail; 0 sends none."""

    after_days: Days = 3


class Cases(Exact):
    """Change requests: the owner, and business hours until the deadline and from the warning (0: none) to it.

    The reminder comes at half of the time. A breach is told to `escalate_to`.
    """

    owner: str = ""
    escalate_to: str = ""
    warn_before_hours: Hours = 2
    deadline_hours: Annotated[StrictInt, Field(ge=1, le=2000)] = 16

    @model_validator(mode="after")
    def _warned_in_time(self) -> Self:
        if self.warn_before_hours >= self.deadline_hours:
            raise BadInput("cases.warn_before_hours", "the warning comes before the case is opened", "make it shorter")
        return self


class Approver(Exact):
    """One who may approve. No `limits`: any amount. With limits, a currency that has none is not his to approve.

    `email` gets his reminders and lets him sign in at the desk; without `business_hours` he keeps everybody's.
    """

    name: Name
    limits: Limits | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$", max_length=254)] | None = None
    business_hours: Calendar | None = None


class Policy(Exact):
    """policy.toml, read. `Policy()` is what holds without a file.

    `thresholds` is what goes out without a person, `second_limits` what one person may let go out; no second limit:
    one is always enough. `approvers` narrows who of the live tokens with scope `approve` may decide; none named: all.
    """

    thresholds: Limits = Field(default_factory=dict)
    second_limits: Limits = Field(default_factory=dict)
    first_enterprise_invoice: FirstEnterpriseInvoice = FirstEnterpriseInvoice()
    other_currency: OtherCurrency = OtherCurrency()
    change_history: ChangeHistory = ChangeHistory()
    usage_variance: UsageVariance = UsageVariance()
    motions: Motions = Motions()
    assign: tuple[Assign, ...] = ()
    approval: Approval = Approval()
    approvers: tuple[Approver, ...] = ()
    follow_up: FollowUp = FollowUp()
    cases: Cases = Cases()
    business_hours: Calendar = Calendar()

    @model_validator(mode="after")
    def _amounts(self) -> Self:
        _check_limits(self.thresholds, "thresholds")
        _check_limits(self.second_limits, "second_limits")
        for index, rule in enumerate(self.assign):
            _check_limits(rule.over or {}, f"assign.{index}.over")
        names = [approver.name for approver in self.approvers]
        for index, approver in enumerate(self.approvers):
            _check_limits(approver.limits or {}, f"approvers.{index}.limits")
            if approver.name in names[:index]:
                raise BadInput(f"approvers.{index}.name", f"{approver.name!r} is named twice")
        return self

    @model_validator(mode="after")
    def _people(self) -> Self:
        """A person whom a rule names must be one of those who may decide, where the file says who they are."""
        for field, name in self.named.items():
            if self.approvers and self.approver(name) is None:
                raise BadInput(field, f"{name!r} is not among the approvers")
        return self

    @property
    def named(self) -> dict[str, str]:
        """Whom rules name, by the key that does."""
        found = {
            "approval.assignee": self.approval.assignee,
            "approval.escalate_to": self.approval.escalate_to,
            "cases.owner": self.cases.owner,
            "cases.escalate_to": self.cases.escalate_to,
            **{f"assign.{index}.to": rule.to for index, rule in enumerate(self.assign)},
        }
        return {field: name for field, name in found.items() if name}

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
        limit = limit_in(self.thresholds, currency)
        return Decimal(DEFAULT_THRESHOLD) if limit is None else limit

    def approvals_needed(self, total: Money) -> int:
        """How many different people must approve: one, or two over the second limit."""
        limit = limit_in(self.second_limits, total.currency)
        return 1 if limit is None or total.major <= limit else 2

    def approver(self, name: str) -> Approver | None:
        """The approver of that name, where the file names approvers."""
        return next((approver for approver in self.approvers if approver.name == name), None)

    def mail_of(self, name: str) -> str:
        """Where a person's mails go; empty where the file does not say. A name that is an address is one."""
        approver = self.approver(name)
        if approver is not None and approver.email:
            return approver.email
        return name if "@" in name else ""

    def calendar_of(self, name: str) -> Calendar:
        """When a person works."""
        approver = self.approver(name)
        return self.business_hours if approver is None else approver.business_hours or self.business_hours


def limit_in(limits: Limits, currency: str) -> Decimal | None:
    """A table's amount for a currency in major units, its default where it has none of that currency, or None."""
    text = limits.get(currency) or limits.get(_DEFAULT)
    return None if text is None else Decimal(text)


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
