"""Which actions are open in which state: one table that API, CLI, mail and the workflow's validators all read."""

from typing import Final

from billing.decisions import Action
from billing.record import Status

_OPEN: Final[dict[Status, tuple[Action, ...]]] = {
    Status.DRAFTING: (Action.CANCEL,),
    Status.AWAITING_APPROVAL: (Action.APPROVE, Action.REJECT, Action.DELEGATE, Action.CANCEL),
    Status.ISSUING: (Action.CANCEL,),
    Status.SENT: (Action.CANCEL,),
    Status.VIEWED: (Action.CANCEL,),
    Status.CHANGE_REQUESTED: (Action.TAKE_CHANGE, Action.ACCEPT_CHANGE, Action.DECLINE_CHANGE, Action.CANCEL),
    Status.NEEDS_ATTENTION: (Action.RETRY, Action.ABANDON, Action.CANCEL),
}
_AFTER_APPROVAL: Final = (Action.RETRY, Action.ABANDON)
# What the recipient approved is owed and cannot be cancelled; a person may close it unbilled when it cannot be mended.


def available_actions(status: Status, *, approved: bool = False) -> tuple[Action, ...]:
    """What a person can do now. `approved`: the recipient has approved the current version."""
    if approved:
        return _AFTER_APPROVAL if status is Status.NEEDS_ATTENTION else ()
    return _OPEN.get(status, ())
