"""Human answers, as they travel into the workflow and as they are kept."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from billing.intent import Patch
from billing.models import Frozen
from billing.untrusted import storable

Name = Annotated[str, Field(max_length=200), AfterValidator(storable)]
Words = Annotated[str, Field(max_length=4000), AfterValidator(storable)]


class Action(StrEnum):
    """What a person can do with an invoice; `available_actions` is drawn from these. The last three are an agent's, who
    decides nothing."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RETRY = "retry"
    ABANDON = "abandon"
    DELEGATE = "delegate"
    TAKE_CHANGE = "take_change_request"
    ACCEPT_CHANGE = "accept_change_request"
    DECLINE_CHANGE = "decline_change_request"
    REVISE_DRAFT = "revise_draft"
    REQUEST_ISSUE = "request_issue"
    PROPOSE_ANSWER = "propose_answer"


EXAMPLES: Final = {
    Action.APPROVE: '{"approver": "NAME", "note": "", "revision": null, "patch": null}',
    Action.REJECT: '{"approver": "NAME", "reason": "WHY", "revision": null}',
    Action.DELEGATE: '{"actor": "NAME", "to": "WHO DECIDES", "note": ""}',
    Action.TAKE_CHANGE: '{"actor": "NAME", "case_id": "ID", "note": ""}',
    Action.ACCEPT_CHANGE: '{"actor": "NAME", "case_id": "ID", "note": "", "patch": null, "parts": null}',
    Action.DECLINE_CHANGE: '{"actor": "NAME", "case_id": "ID", "note": "ANSWER TO THE RECIPIENT"}',
    Action.CANCEL: '{"actor": "NAME", "reason": "WHY"}',
    Action.RETRY: '{"actor": "NAME", "reason": "", "patch": null}',
    Action.ABANDON: '{"actor": "NAME", "reason": "WHY"}',
}
"""What each signal takes; shown in the Temporal UI."""

_MADE: Final = "`billhook token create NAME --scope approve` makes one, whom a policy with approvers must name too"
SOMEBODY_ELSE: Final = f"let another approver decide: {_MADE}"
PUT_TO_ANOTHER: Final = f"put it to an approver who may: {_MADE}"
"""What to do where the policy refuses who decides, or whom it is to be put to."""


class Approve(Frozen):
    """Signal `approve`. No revision means the present one, for people in the Temporal UI."""

    approver: Name
    note: Words = ""
    revision: Name | None = None
    patch: Patch | None = None


class Reject(Frozen):
    """Signal `reject`; a reason is required."""

    approver: Name
    reason: Words
    revision: Name | None = None


class Decide(Frozen):
    """Update `decide`: approve or reject, bound to the revision that was seen."""

    action: Action
    approver: Name
    revision: Name
    note: Words = ""
    patch: Patch | None = None


class Delegate(Frozen):
    """Update and signal `delegate`: another approver is to decide, in the place of whoever it was put to."""

    actor: Name
    to: Name
    note: Words = ""


class DecideChange(Frozen):
    """Update `decide_change_request`: take the case, accept it or decline it with an answer.

    To accept with a `patch` is to make the next version of it; without one it is made of what the recipient proposed,
    or of the proposed `parts` alone (`billing/proposals.py` names them).
    """

    action: Action
    case_id: Name
    actor: Name
    note: Words = ""
    patch: Patch | None = None
    parts: tuple[Name, ...] | None = None


class AnswerCase(Frozen):
    """Signals `take_change_request`, `accept_change_request` and `decline_change_request`."""

    actor: Name
    case_id: Name
    note: Words = ""
    patch: Patch | None = None
    parts: tuple[Name, ...] | None = None


class Cancel(Frozen):
    """Update and signal `cancel`: a draft is discarded, an issued invoice voided."""

    actor: Name
    reason: Words


class Repair(Frozen):
    """Signals `retry`, with an edit if need be, and `abandon`."""

    actor: Name
    reason: Words = ""
    patch: Patch | None = None


class Retry(Frozen):
    """Update `retry`: resume a parked invoice, with an edit, or give it up with `abandon`."""

    actor: Name
    reason: Words = ""
    patch: Patch | None = None
    abandon: bool = False


class Propose(Frozen):
    """Update `propose`: what an agent wishes. It is kept in timeline and trail, and decides nothing by itself.

    `call_id` names the call and, after a colon, what it said: the same again gets the same answer, another under the
    same name is refused. `revision` is what the agent saw of a draft; `answer` (accept or decline), `note` and `patch`
    or `parts` say how it would answer the change request `case_id`.
    """

    action: Action
    actor: Name
    call_id: Name
    revision: Name = ""
    case_id: Name = ""
    answer: Action | None = None
    note: Words = ""
    patch: Patch | None = None
    parts: tuple[Name, ...] | None = None


Wish = Decide | Delegate | DecideChange | Cancel | Retry | Propose


def action_of(wish: Wish) -> Action:
    match wish:
        case Decide() | DecideChange() | Propose():
            return wish.action
        case Delegate():
            return Action.DELEGATE
        case Cancel():
            return Action.CANCEL
        case Retry():
            return Action.ABANDON if wish.abandon else Action.RETRY


def actor_of(wish: Wish) -> str:
    return wish.approver if isinstance(wish, Decide) else wish.actor


class Answer(Frozen):
    """What every update answers: the state that the decision led to."""

    status: str
    revision: str
    note: str = ""


class Decision(Frozen):
    """A human's recorded answer; `revision` is what he saw, `result_revision` what his edit made of it.

    `position` counts from 1 within the invoice: two plays of one workflow task differ in `at`, and tell of one answer.
    """

    position: int = 0
    at: datetime
    action: Action
    actor: str
    revision: str
    result_revision: str
    note: str = ""
    channel: str = "api"
