"""The cases of one invoice: opened by the fold, closed with the invoice at the latest."""

from billing.cases import case_words, open_case
from billing.lifecycle import Lifecycle
from billing.proposals import is_in_part
from workflows.state import InvoiceState
from workflows.steps import Steps


def open_cases(life: Lifecycle, state: InvoiceState, steps: Steps) -> None:
    """A record for every request that is new; also for one that the end overtook, which is then withdrawn.

    A request that is told twice counts from the first telling, whichever of the two reached us first.
    """
    for case_id, found in {**life.withdrawn, **life.cases}.items():
        if state.assessment is None:
            continue
        case, known = open_case(case_id, found, state.assessment), state.cases.get(case_id)
        if known is None:
            state.cases[case_id] = case
            steps.note("case", "billhook", case_words(case))
        elif case.opened_at != known.opened_at:
            state.cases[case_id] = case.model_copy(update={"status": known.status, "answer": known.answer})
            state.sequence += 1


def close_cases(state: InvoiceState, version: int) -> None:
    """Version `version` stands at the API: it answers the request that it was made for, and ends those before it."""
    for case in state.open_cases:
        if case.id == state.answering_case:
            before = state.issued_commercial or state.commercial
            in_part = is_in_part(before, case.proposed, state.commercial)
            state.cases[case.id] = case.model_copy(update={"status": "accepted", "in_part": in_part})
        elif case.version < version:
            state.cases[case.id] = case.model_copy(update={"status": "superseded"})
    state.answering_case = None


def withdraw_cases(state: InvoiceState) -> None:
    """The invoice has ended: nobody has to answer any more."""
    for case in state.open_cases:
        state.cases[case.id] = case.model_copy(update={"status": "withdrawn"})
        state.sequence += 1
