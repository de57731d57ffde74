"""Human answers, as they travel into the workflow and as they are kept."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from billing.intent import Patch


class Action(StrEnum):
    """What a person can do with an invoice; `available_actions` is drawn from these."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RETRY = "retry"
    ABANDON = "abandon"
    DELEGATE = "delegate"
    TAKE_CHANGE = "take_change_request"
    ACCEPT_CHANGE = "accept_change_request"
    DECLINE_CHANGE = "decline_change_request"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Approve(_Frozen):
    """Signal `approve`. No revision means the present one, for people in the Temporal UI."""

    approver: str
    note: str = ""
    revision: str | None = None
    patch: Patch | None = None


class Reject(_Frozen):
    """Signal `reject`; a reason is required."""

    approver: str
    reason: str
    revision: str | None = None


class Decide(_Frozen):
    """Update `decide`: approve or reject, bound to the revision that was seen."""

    action: Action
    approver: str
    revision: str
    note: str = ""
    patch: Patch | None = None


class Delegate(_Frozen):
    """Update and signal `delegate`: another approver is to decide, in the place of whoever it was put to."""

    actor: str
    to: str
    note: str = ""


class DecideChange(_Frozen):
    """Update and signal `decide_change_request`: take the case, accept it or decline it with an answer.

    To accept with a `patch` is to make the next version of it; without one it is made of what the recipient proposed,
    or of the proposed `parts` alone (`billing/proposals.py` names them).
    """

    action: Action
    case_id: str
    actor: str
    note: str = ""
    patch: Patch | None = None
    parts: tuple[str, ...] | None = None


class Cancel(_Frozen):
    """Update and signal `cancel`: a draft is discarded, an issued invoice voided."""

    actor: str
    reason: str


class Retry(_Frozen):
    """Update and signal `retry`: resume a parked invoice, with an edit, or give it up with `abandon`."""

    actor: str
    reason: str = ""
    patch: Patch | None = None
    abandon: bool = False


class Answer(_Frozen):
    """What every update answers: the state that the decision led to."""

    status: str
    revision: str
    note: str = ""


class Decision(_Frozen):
    """A human's recorded answer; `revision` is what he saw, `result_revision` what his edit made of it."""

    at: datetime
    action: Action
    actor: str
    revision: str
    result_revision: str
    note: str = ""
    channel: str = "api"
