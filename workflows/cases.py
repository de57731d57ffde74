"""The cases of one invoice: opened by the fold, answered by a person, closed with the invoice at the latest."""

from datetime import datetime

from temporalio import workflow

from billing.cases import case_words, open_case, resolved, responded
from billing.decisions import DecideChange
from billing.lifecycle import Lifecycle
from billing.proposals import is_in_part
from workflows.inbox import Asked
from workflows.state import InvoiceState


def open_cases(life: Lifecycle, state: InvoiceState) -> None:
    """A record for every request that is new; also for one that the end overtook, which is then withdrawn.

    A request that is told twice counts from the first telling, whichever of the two reached us first.
    """
    for case_id, found in {**life.withdrawn, **life.cases}.items():
        if state.assessment is None:
            continue
        case, known = open_case(case_id, found, state.assessment), state.cases.get(case_id)
        if known is None:
            state.cases[case_id] = case
            state.news.note(workflow.now(), "case", "billhook", case_words(case))
        elif case.opened_at != known.opened_at:
            times = {name: getattr(case, name) for name in ("opened_at", "remind_at", "warn_at", "deadline")}
            state.cases[case_id] = known.model_copy(update=times)
            state.news.changed()


def respond(state: InvoiceState, case_id: str, at: datetime) -> None:
    """One of us acted on it; how soon that was counts once."""
    state.cases[case_id] = responded(state.cases[case_id], at)
    state.news.changed()


def take(state: InvoiceState, asked: Asked[DecideChange], at: datetime) -> None:
    """Who takes a case owns it from now on, and is told of its times."""
    respond(state, asked.wish.case_id, at)
    case = state.cases[asked.wish.case_id]
    state.cases[case.id] = case.model_copy(update={"owner": asked.actor})
    state.case_mails[case.id] = asked.mail


def resolve(state: InvoiceState, case_id: str, status: str, at: datetime, by: str, answer: str = "") -> None:  # noqa: PLR0917 - a case's end
    state.cases[case_id] = resolved(state.cases[case_id], status, at, by, answer)
    state.news.changed()


def close_cases(state: InvoiceState, version: int, at: datetime) -> None:
    """Version `version` stands at the API: it answers the request that it was made for, and ends those before it."""
    for case in state.open_cases:
        if case.id == state.answering_case:
            before = state.issued_commercial or state.commercial
            in_part = is_in_part(before, case.proposed, state.commercial)
            state.cases[case.id] = case.model_copy(update={"in_part": in_part})
            resolve(state, case.id, "accepted", at, state.answered_by)
        elif case.version < version:
            resolve(state, case.id, "superseded", at, state.answered_by)
    state.answering_case = None


def withdraw_cases(state: InvoiceState, at: datetime, by: str) -> None:
    """The invoice has ended: nobody has to answer any more.

    Not before one of us answered, though: an end that reached us late may lie before that.
    """
    for case in state.open_cases:
        resolve(state, case.id, "withdrawn", max(at, case.first_response_at or at), by)
