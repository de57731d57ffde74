"""What agents proposed and what waits for a person, with the form that each fills; he decides by sending that form."""

from dataclasses import dataclass, field

from billing.decisions import Action
from billing.errors import NotFound
from billing.record import Status
from records.proposed import AgentProposal, proposals
from records.views import InvoiceView
from starter.console.desk import Desk
from starter.console.pages.acts import Act, named


@dataclass(frozen=True)
class Proposed:
    """`issue`: that the present revision be issued. `answers`: per open change request, how it would be answered."""

    issue: list[AgentProposal] = field(default_factory=list)
    answers: dict[str, list[tuple[AgentProposal, Act]]] = field(default_factory=dict)


async def open_proposals(desk: Desk, view: InvoiceView) -> Proposed:
    """The newest of each agent."""
    if view.status not in {Status.AWAITING_APPROVAL, Status.CHANGE_REQUESTED}:
        return Proposed()
    async with desk.parts.database.session() as session:
        found = await proposals(session, view.key)
    newest = {(one.action, one.case_id, one.actor): one for one in found}.values()
    if view.status is Status.AWAITING_APPROVAL:
        wishes = [one for one in newest if one.action is Action.REQUEST_ISSUE]
        return Proposed(issue=[one for one in wishes if one.revision == view.revision])
    answers = [(one, _form(one)) for one in newest if one.action is Action.PROPOSE_ANSWER]
    cases = [case.id for case in view.cases if case.status == "open"]
    return Proposed(answers={case: [one for one in answers if one[0].case_id == case] for case in cases})


async def proposal_for(desk: Desk, key: str, act: Act, case_id: str, position: int) -> AgentProposal:
    """The one in that place of the trail, if `act` is its form. Raises NotFound."""
    async with desk.parts.database.session() as session:
        found = [one for one in await proposals(session, key) if one.position == position]
    for one in found:
        if one.action is Action.PROPOSE_ANSWER and one.case_id == case_id and _form(one) is act:
            return one
    raise NotFound("no agent proposed that", next_step="go back to the invoice")


def _form(said: AgentProposal) -> Act:
    if said.answer is Action.DECLINE_CHANGE:
        return named("decline")
    return named("accept" if said.patch is None else "accept-edited")
