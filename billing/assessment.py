"""What the policy is told, and what it answers: plain data that lives in histories and records for years."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from billing.deadlines import Calendar, add_business_time
from billing.models import Exact


class Segment(StrEnum):
    STANDARD = "standard"
    ENTERPRISE = "enterprise"


class History(Exact):
    """What we know of a customer: invoices issued so far, when he asked for changes (aware times), and the `currency`
    of his record, empty where there is none.

    `usage_minor` are the totals of this subscription's last usage invoices, the newest first, in minor units of the
    invoice's own currency.
    """

    invoices_issued: int = 0
    change_requests: tuple[datetime, ...] = ()
    segment: Segment = Segment.STANDARD
    currency: str = ""
    usage_minor: tuple[int, ...] = ()


class Reason(Exact):
    """Why a person must look: the rule's name, and what it found in words."""

    rule: str
    text: str


class CaseTimes(Exact):
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
    address of the person before it, empty where the policy names none. `assignee_reason` says in words why it is put to
    another than the rules name. The rest is what the workflow needs later, when
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
    assignee_reason: str = ""
    escalate_to: str = ""
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

    def spelled_out(self, year: int) -> Self:
        """For a workflow: its calendars name every day off themselves."""
        calendars = ("calendar", "assignee_calendar", "case_calendar")
        return self.model_copy(update={name: getattr(self, name).spelled_out(year) for name in calendars})

    def case_times(self, opened_at: datetime) -> CaseTimes:
        """For a case opened then, in business hours of its owner."""
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
