"""What people ask of an invoice: read from a signal's raw JSON, and checked against the present state.

A signal from the Temporal UI is text that somebody typed. The SDK drops one that it cannot read, and a handler that
raises stops the invoice; so it is read here, by hand, and a wish that cannot be read is refused like any other. Nothing
here decides who may: the policy is asked for that.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from billing.actions import available_actions
from billing.agents import MOST_PROPOSALS, open_to_agents
from billing.decisions import (
    EXAMPLES,
    Action,
    AnswerCase,
    Approve,
    Cancel,
    Decide,
    DecideChange,
    Delegate,
    Propose,
    Reject,
    Repair,
    Retry,
    Wish,
    action_of,
)
from billing.errors import BadInput, BillhookError, Conflict, NotPossible, StaleRevision
from billing.proposals import accepted
from billing.untrusted import one_line, storable
from workflows.state import InvoiceState

_LARGEST: Final = 256 * 1024
# Bytes: a whole new content of an invoice fits many times.
_CASES: Final = frozenset({Action.TAKE_CHANGE, Action.ACCEPT_CHANGE, Action.DECLINE_CHANGE})
_DECISIONS: Final = frozenset({Action.APPROVE, Action.REJECT})


def said(raw: bytes) -> str:
    """What was sent, on one line, for the trail of a wish that could not be read."""
    return one_line(raw.decode("utf-8", "replace"))


def read(action: Action, raw: bytes, state: InvoiceState) -> Wish:
    """The wish that a signal carries; without a revision it means the present one. Raises BadInput."""
    model = _MODELS[action]
    given = _object(action, raw)
    unknown = sorted(str(name) for name in given.keys() - model.model_fields.keys())
    if unknown:
        raise BadInput(one_line(unknown[0], 100), "it is no field of this signal", f"send {EXAMPLES[action]}")
    try:
        body = model.model_validate(given)
    except ValidationError as error:
        raise BadInput.of(error) from None
    return _WISHES[action](action, body, state)


def _object(action: Action, raw: bytes) -> dict[Any, Any]:
    if len(raw) > _LARGEST:
        raise BadInput("input", f"it is larger than {_LARGEST} bytes", f"send {EXAMPLES[action]}")
    try:
        found = storable(json.loads(raw))
        # Half of a surrogate pair is JSON, and no text that can be kept.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadInput("input", "it is no JSON object", f"send {EXAMPLES[action]}")
    return found


def _decide(action: Action, body: Any, state: InvoiceState) -> Wish:
    approves = isinstance(body, Approve)
    return Decide(
        action=action,
        approver=body.approver,
        revision=body.revision or state.revision,
        note=body.note if approves else body.reason,
        patch=body.patch if approves else None,
    )


def _answer(action: Action, body: Any, _: InvoiceState) -> Wish:
    return DecideChange(action=action, **dict(body))


def _repair(action: Action, body: Any, _: InvoiceState) -> Wish:
    return Retry(abandon=action is Action.ABANDON, **dict(body))


def _as_it_is(_: Action, body: Any, __: InvoiceState) -> Wish:
    wish: Wish = body
    return wish


_MODELS: Final[dict[Action, type[BaseModel]]] = {
    Action.APPROVE: Approve,
    Action.REJECT: Reject,
    Action.DELEGATE: Delegate,
    Action.TAKE_CHANGE: AnswerCase,
    Action.ACCEPT_CHANGE: AnswerCase,
    Action.DECLINE_CHANGE: AnswerCase,
    Action.CANCEL: Cancel,
    Action.RETRY: Repair,
    Action.ABANDON: Repair,
}
_WISHES: Final[dict[Action, Callable[[Action, Any, InvoiceState], Wish]]] = {
    Action.APPROVE: _decide,
    Action.REJECT: _decide,
    Action.DELEGATE: _as_it_is,
    Action.TAKE_CHANGE: _answer,
    Action.ACCEPT_CHANGE: _answer,
    Action.DECLINE_CHANGE: _answer,
    Action.CANCEL: _as_it_is,
    Action.RETRY: _repair,
    Action.ABANDON: _repair,
}


def check(wish: Wish, state: InvoiceState) -> None:
    """Whether it can be done now, whoever asks. Raises NotPossible, or BadInput naming the field."""
    action = action_of(wish)
    open_now = _open(wish, state)
    if action not in open_now:
        raise NotPossible(action.value, state.status.value, ", ".join(open_now) or "nothing")
    match wish:
        case Decide():
            _check_decision(wish, state)
        case Delegate():
            _check_delegation(wish, state)
        case DecideChange():
            _check_answer(wish, state)
        case Cancel():
            _need(wish.reason, "reason", "a cancel needs a reason", "say why, for the trail")
        case Retry():
            _check_repair(wish, state)
        case Propose():
            _check_proposal(wish, state)


def is_open(wish: Wish, state: InvoiceState) -> bool:
    """Whether `check` lets it pass."""
    try:
        check(wish, state)
    except BillhookError:
        return False
    return True


def _open(wish: Wish, state: InvoiceState) -> tuple[Action, ...]:
    approved = state.approved_at is not None
    if isinstance(wish, Propose):
        return open_to_agents(state.status, approved=approved, is_own_draft=wish.actor == state.drafting_agent)
    return available_actions(state.status, approved=approved)


def _check_decision(wish: Decide, state: InvoiceState) -> None:
    if wish.action not in _DECISIONS:
        raise BadInput("action", f"{wish.action.value} is no decision", "send approve or reject")
    if wish.action is Action.REJECT:
        _need(wish.note, "note", "a rejection needs a reason", "say why, for the trail")
    if wish.revision == state.revision:
        state.commercial.patched(wish.patch)


def _check_delegation(wish: Delegate, state: InvoiceState) -> None:
    _need(wish.to, "to", "it names nobody", "name the approver who is to decide")
    if wish.to in state.approved_by:
        raise BadInput("to", f"{wish.to} has approved this revision already; a second person must", "name another")


def _check_answer(wish: DecideChange, state: InvoiceState) -> None:
    if wish.action not in _CASES:
        raise BadInput("action", f"{wish.action.value} answers no change request", "send take, accept or decline")
    if wish.case_id not in {case.id for case in state.open_cases}:
        cause = f"no open change request {one_line(wish.case_id, 200)!r}"
        raise BadInput("id", cause, "read the invoice again for those that are open; `billhook cases list` has all")
    if wish.action is Action.DECLINE_CHANGE:
        _need(wish.note, "note", "a declined change needs an answer", "say why; the recipient reads it")
    if wish.action is Action.ACCEPT_CHANGE:
        present, proposed = state.commercial, state.cases[wish.case_id].proposed
        present.patched(accepted(present, proposed, wish.patch, wish.parts))


def _check_proposal(wish: Propose, state: InvoiceState) -> None:
    """What it proposes must be something that a person could do as it stands."""
    named, others = wish.call_id.partition(":")[0], state.proposals_answered.keys() - {wish.call_id}
    if any(one.partition(":")[0] == named for one in others):
        raise Conflict("this idempotency key was used for another call", next_step="use a new one for another wish")
    if len(others) >= MOST_PROPOSALS:
        raise Conflict(f"{MOST_PROPOSALS} proposals were made for it", next_step="leave it to a person")
    if wish.action is Action.PROPOSE_ANSWER:
        if wish.answer not in {Action.ACCEPT_CHANGE, Action.DECLINE_CHANGE}:
            raise BadInput("answer", "a proposal accepts or declines", "send accept or decline")
        parts = {"case_id": wish.case_id, "note": wish.note, "patch": wish.patch, "parts": wish.parts}
        _check_answer(DecideChange(action=wish.answer, actor=wish.actor, **parts), state)
    elif wish.revision != state.revision:
        raise StaleRevision(wish.revision, state.revision)
    elif wish.action is Action.REVISE_DRAFT:
        _check_revision(wish, state)


def _check_revision(wish: Propose, state: InvoiceState) -> None:
    if wish.patch is None:
        raise BadInput("patch", "it changes nothing", "send the edit")
    if state.approved_by:
        raise Conflict(f"{' and '.join(state.approved_by)} approved this revision", next_step="leave it to a person")
    state.commercial.patched(wish.patch)


def _check_repair(wish: Retry, state: InvoiceState) -> None:
    if wish.patch is not None and state.is_issued and not wish.abandon:
        raise Conflict("what is issued cannot be edited", field="patch", next_step="retry without an edit")
    state.commercial.patched(wish.patch)


def _need(text: str, field: str, cause: str, next_step: str) -> None:
    if not text.strip():
        raise BadInput(field, cause, next_step)
