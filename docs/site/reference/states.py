"""States, actions, steps and motions, from the tables that workflow, API and desk read."""

from activities import signatures
from activities.signatures import Signature
from billing.actions import available_actions
from billing.decisions import Action
from billing.ownership import OWNERSHIP
from billing.record import Status
from docs.site.markdown import code, codes, page, table
from workflows.visibility import LASTING

_WORDS = {
    Status.DRAFTING: "the draft is created, patched and assessed",
    Status.AWAITING_APPROVAL: "a person must decide; the assessment says why",
    Status.ISSUING: "the invoicing API assigns the number, and the link goes out",
    Status.SENT: "the recipient has the link, and has not opened it",
    Status.VIEWED: "the recipient has opened the present version",
    Status.CHANGE_REQUESTED: "a change request is open, with an owner and a deadline",
    Status.APPROVED: "the recipient approved; it is read back, marked billed and posted",
    Status.BILLED: "the deal is billed and accounting has its entry",
    Status.REJECTED: "a person said no before it was issued, or nobody answered in time; no number was used",
    Status.CANCELLED: "withdrawn: the draft discarded, or the issued invoice voided",
    Status.NEEDS_ATTENTION: "a step was refused for good; `failed_step` names it",
}


def text() -> str:
    about = "`billing/record.py`, `billing/actions.py`, `activities/signatures.py` and `billing/ownership.py`"
    return page("States, actions and steps", about, _states(), _actions(), _steps(), _owners())


def _states() -> str:
    rows = [(code(one.value), _WORDS[one], _rests(one)) for one in Status]
    return "## States\n\n" + table(("state", "means", ""), rows)


def _rests(status: Status) -> str:
    if status.is_end:
        return "end"
    return "" if status in LASTING else "lasts for a step"


def _actions() -> str:
    rows = [(code(one.value), codes(action.value for action in available_actions(one)) or "none") for one in Status]
    approved = codes(one.value for one in available_actions(Status.NEEDS_ATTENTION, approved=True))
    after = f"Once the recipient has approved, only a parked invoice has any: {approved}."
    every = f"All there are: {codes(one.value for one in Action)}."
    return f"## What a person can do\n\n{table(('state', 'actions'), rows)}\n{after} {every}"


def steps() -> list[Signature]:  # type: ignore[type-arg]
    """Every activity, in the order in which they are written down."""
    return [one for one in vars(signatures).values() if isinstance(one, Signature)]


def _steps() -> str:
    rows = [(code(one.name), one.words) for one in steps()]
    head = "## Steps\n\nWhat `failed_step` may name, and what a pending activity in the Temporal UI is called."
    return f"{head}\n\n{table(('step', 'could not ...'), rows)}"


def _owners() -> str:
    rows = [(code(one.field), one.owner.value.replace("_", " "), one.note) for one in OWNERSHIP]
    return "## Who owns which field\n\n" + table(("field", "owner", ""), rows)
