"""What an agent's wishes do. Its own draft, while it waits, may be revised by it, and be asked for: then the policy is
asked again. Anything else is kept and shown to whoever decides, and does nothing."""

from datetime import datetime
from typing import Any, Final

from billing.decisions import Action, Propose
from billing.record import Status
from workflows.inbox import Asked
from workflows.interruptions import Edited
from workflows.state import InvoiceState
from workflows.teller import Teller

_KEPT: Final = "kept for whoever decides"


def moves(wish: Propose, state: InvoiceState) -> bool:
    """Whether it does anything to the invoice; if not, it has done all there is once it is kept."""
    return wish.action is not Action.PROPOSE_ANSWER and wish.actor == state.drafting_agent


def keep(asked: Asked[Any], say: Teller) -> None:
    """In the trail and in the timeline, in the agent's name."""
    wish: Propose = asked.wish
    said = wish.model_dump(mode="json", exclude_defaults=True, exclude={"actor"})
    say.keep("proposed", asked.actor, **said)
    say.note("proposed", asked.actor, _words(wish))


def carry_out(asked: Asked[Propose], state: InvoiceState, say: Teller, at: datetime) -> None:
    """To its own draft. Raises Edited where the draft is to be walked again."""
    wish = asked.wish
    if wish.action is Action.REVISE_DRAFT:
        if not state.edit(wish.patch, at, asked.actor):
            asked.answer = say.answer("it says so already")
            return
        _walk_again(asked, say, f"revision {state.revision} over {state.commercial.total} is assessed anew")
    if not state.waits_for_agents_alone:
        asked.answer = say.answer(_KEPT)
        return
    state.ask_anew()
    _walk_again(asked, say, "the policy is asked again")


def _walk_again(asked: Asked[Propose], say: Teller, words: str) -> None:
    say.become(Status.DRAFTING, words)
    asked.answer = say.answer(words)
    raise Edited


def _words(wish: Propose) -> str:
    note = f": {wish.note}" if wish.note else ""
    match wish.action:
        case Action.REVISE_DRAFT:
            return f"revises the draft{note}"
        case Action.REQUEST_ISSUE:
            return f"asks for it to be issued{note}"
        case _:
            how = "accept" if wish.answer is Action.ACCEPT_CHANGE else "decline"
            of = f", of it {', '.join(wish.parts)}" if wish.parts is not None else ""
            edit = ", with an edit that stands in the trail" if wish.patch is not None else ""
            return f"proposes to {how} change request {wish.case_id}{of}{edit}{note}"
