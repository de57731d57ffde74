"""What a person can do, as the desk shows it: a form each. What is open is the state machine's to say, not a page's."""

from dataclasses import dataclass
from typing import Final

from billing.decisions import Action
from billing.errors import NotFound
from records.views import CaseView, InvoiceView


@dataclass(frozen=True)
class Act:
    """One form, `name` in its address; open while `action` is among the invoice's `available_actions`.

    `words` labels the free text, which is empty where none is asked for; `edits` shows the content to be changed, `to`
    asks for another person, `parts` for what of a proposal is accepted. `weight` is how the button looks.
    """

    name: str
    action: Action
    title: str
    says: str
    words: str = ""
    words_needed: bool = False
    edits: bool = False
    to: bool = False
    parts: bool = False
    weight: str = ""


ACTS: Final = (
    Act("approve", Action.APPROVE, "Approve", "It is issued and sent as it stands.", "Note", weight="primary"),
    Act(
        "approve-edited",
        Action.APPROVE,
        "Approve with an edit",
        "The draft is changed, which makes a new revision, and that revision is approved.",
        "Note",
        edits=True,
    ),
    Act(
        "reject",
        Action.REJECT,
        "Reject",
        "Nothing is issued: a draft is discarded and no number is used; a version that is issued already stands, "
        "and the change is declined. Your reason stays with us.",
        "Reason",
        words_needed=True,
        weight="danger",
    ),
    Act("delegate", Action.DELEGATE, "Delegate", "Somebody else is asked to decide.", "Note", to=True),
    Act("retry", Action.RETRY, "Retry", "The failed step is taken again, with its key.", "Note", weight="primary"),
    Act(
        "retry-edited",
        Action.RETRY,
        "Retry with an edit",
        "The content is changed and judged anew, then the failed step is taken again.",
        "Note",
        edits=True,
    ),
    Act(
        "abandon",
        Action.ABANDON,
        "Abandon",
        "The invoice is given up: a draft is discarded, an issued one voided.",
        "Reason",
        words_needed=True,
        weight="danger",
    ),
    Act(
        "cancel",
        Action.CANCEL,
        "Cancel the invoice",
        "A draft is discarded; an issued invoice is voided and keeps its place in the series.",
        "Reason",
        words_needed=True,
        weight="danger",
    ),
)
CASE_ACTS: Final = (
    Act(
        "accept",
        Action.ACCEPT_CHANGE,
        "Accept",
        "What is ticked makes the next version; it is judged, issued and mailed like the first.",
        "Note",
        parts=True,
        weight="primary",
    ),
    Act(
        "accept-edited",
        Action.ACCEPT_CHANGE,
        "Accept with an edit",
        "What stands here makes the next version; it is judged, issued and mailed like the first.",
        "Note",
        edits=True,
    ),
    Act(
        "decline",
        Action.DECLINE_CHANGE,
        "Decline",
        "The present version stands, and the recipient is told why.",
        "Answer to the recipient",
        words_needed=True,
        weight="danger",
    ),
    Act("take", Action.TAKE_CHANGE, "Take it", "You become the owner of this change request.", "Note"),
)


def named(name: str) -> Act:
    """Raises NotFound."""
    found = next((act for act in (*ACTS, *CASE_ACTS) if act.name == name), None)
    if found is None:
        raise NotFound(f"there is no form {name!r}", next_step="go back to the invoice")
    return found


def possible(view: InvoiceView) -> list[Act]:
    """The forms about the invoice whose action is open now."""
    return [act for act in ACTS if _is_open(act, view)]


def possible_for(view: InvoiceView, case: CaseView) -> list[Act]:
    """Those about one of its change requests; what proposes nothing that can be accepted has no form to accept it."""
    if case.status != "open":
        return []
    acceptable = bool(case.comparison and case.comparison.parts)
    return [act for act in CASE_ACTS if _is_open(act, view) and (acceptable or not act.parts)]


def _is_open(act: Act, view: InvoiceView) -> bool:
    """What is not on record as content cannot be edited here."""
    return act.action in view.available_actions and not (act.edits and view.content is None)
