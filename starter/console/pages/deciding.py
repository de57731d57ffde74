"""The forms of decisions. A GET shows what would be done and asks; only the POST of that form does it.

An edit is shown with its effect on the total before it is sent. What the workflow refuses comes back as words on the
same page, with what was typed.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from billing.decisions import Answer
from billing.errors import BadInput, BillhookError, NotPossible, StaleRevision
from billing.motions import PatchBody
from records.tokens import Scope
from starter.console.desk import Desk, UseDesk
from starter.console.pages.acts import CASE_ACTS, named
from starter.console.pages.asked import Asked, Filled
from starter.console.pages.editing import effect
from starter.console.pages.proposed import proposal_for
from starter.console.pages.seeing import case_of, whole_view
from starter.console.render import say, see
from starter.console.route import DeskRoute, UsePerson
from starter.deciding import CancelBody, ChangeDecisionBody, DecisionBody, DelegateBody, RetryBody
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute, prefix="/invoices/{key}/do")

Word = Annotated[str, Query(max_length=400)]
Place = Annotated[int, Query(ge=0, le=1_000_000)]


@router.get("/{name}", **needs(Scope.APPROVE))
async def ask(  # noqa: PLR0917 - FastAPI passes parameters by name
    request: Request, desk: UseDesk, key: str, name: str, case: Word = "", revision: Word = "", proposal: Place = 0
) -> Response:
    """`revision` is the one that the reader saw where he came from; he is told if it is no longer the present one.

    `proposal` is the place in the trail of an agent's proposal that the form is filled with.
    """
    asked = await _asked(request, desk, key, name, case)
    asked.filled = Filled.empty(asked.view, asked.act, asked.case)
    if proposal:
        asked.proposal = await proposal_for(desk, key, asked.act, case, proposal)
        asked.filled.take(asked.proposal, asked.view)
    asked.seen = revision
    return await asked.shown()


@router.post("/{name}", **needs(Scope.APPROVE))
async def do(  # noqa: PLR0917 - FastAPI passes parameters by name
    request: Request, desk: UseDesk, person: UsePerson, key: str, name: str, case: Word = ""
) -> Response:
    """Goes on to the invoice once it is done; else the form again: to be confirmed, or refused."""
    asked = await _asked(request, desk, key, name, case)
    asked.filled = Filled.sent(await request.form(), asked.act)
    asked.seen = asked.filled.revision
    try:
        patch = _patch(asked)
        if asked.filled.edit is not None and asked.filled.seal != asked.filled.edit.seal:
            return await asked.shown()
        answer = await _decide(asked, person.name, patch)
    except BillhookError as error:
        return await _refused(asked, error)
    say(request, f"{asked.act.title}: done. {key} is now {answer.status.replace('_', ' ')}.")
    if answer.note:
        say(request, answer.note, "note")
    return see(request, f"/desk/invoices/{quote(key, safe='')}")


async def _asked(request: Request, desk: Desk, key: str, name: str, case_id: str) -> Asked:
    act, view = named(name), await whole_view(desk, key)
    case = case_of(view, case_id) if act in CASE_ACTS else None
    return Asked(request, desk, view, act, case, Filled(view.revision))


async def _refused(asked: Asked, error: BillhookError) -> Response:
    """With the invoice as it is now: what was refused may have been overtaken."""
    asked.problem = error
    asked.view = await whole_view(asked.desk, asked.view.key)
    asked.case = case_of(asked.view, asked.case.id) if asked.case else None
    if isinstance(error, StaleRevision):
        asked.change, asked.filled.seal = None, ""
    return await asked.shown()


def _patch(asked: Asked) -> PatchBody | None:
    """The edit, with its effect for the page. Raises BadInput, and StaleRevision: an effect is one on what was seen."""
    edit, view = asked.filled.edit, asked.view
    if edit is None or view.content is None:
        return None
    if asked.filled.revision != view.revision:
        raise StaleRevision(asked.filled.revision, view.revision)
    patch = edit.patch(view.content)
    asked.change = effect(view.content, patch.to_patch(view.currency), view.currency)
    return patch


async def _decide(asked: Asked, person: str, patch: PatchBody | None) -> Answer:
    act, filled, view = asked.act, asked.filled, asked.view
    if not asked.is_open:
        raise NotPossible(act.action.value, view.status, ", ".join(view.available_actions) or "nothing")
    if act.words_needed and not filled.words:
        raise BadInput(act.words.lower(), "it is empty", "write it; it is kept with the decision")
    try:
        if asked.case is not None:
            return await _answer_case(asked, asked.case.id, person, patch)
        return await _decide_invoice(asked, person, patch)
    except ValidationError as error:
        raise BadInput.of(error) from None


async def _answer_case(asked: Asked, case_id: str, person: str, patch: PatchBody | None) -> Answer:
    act, filled = asked.act, asked.filled
    if act.parts and not filled.parts:
        raise BadInput("parts", "nothing is ticked", "tick what you accept, or decline with an answer")
    body = {
        "action": act.name.removesuffix("-edited"),
        "note": filled.words,
        "patch": patch,
        "parts": filled.parts if act.parts else None,
    }
    wish = ChangeDecisionBody.model_validate(body)
    return await asked.desk.parts.deciding.answer_case(asked.view.key, case_id, person, wish)


async def _decide_invoice(asked: Asked, person: str, patch: PatchBody | None) -> Answer:
    deciding, key, filled = asked.desk.parts.deciding, asked.view.key, asked.filled
    match asked.act.name.removesuffix("-edited"):
        case "approve" | "reject" as verb:
            body = {"action": verb, "revision": filled.revision, "note": filled.words, "patch": patch}
            return await deciding.decide(key, person, DecisionBody.model_validate(body))
        case "delegate":
            if not filled.to:
                raise BadInput("to", "nobody is named", "choose who is to decide")
            return await deciding.delegate(key, person, DelegateBody(to=filled.to, note=filled.words))
        case "cancel":
            return await deciding.cancel(key, person, CancelBody(reason=filled.words))
        case verb:
            wish = RetryBody(reason=filled.words, patch=patch, abandon=verb == "abandon")
            return await deciding.retry(key, person, wish)
