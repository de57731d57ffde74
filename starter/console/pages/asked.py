"""One form on its way: for what, filled with what, and what came of it so far."""

from dataclasses import dataclass, field
from typing import Self

from fastapi import Request, Response
from starlette.datastructures import FormData

from billing.approvers import Standing, may_not_approve
from billing.comparison import Comparison
from billing.decisions import Action
from billing.errors import BillhookError, StaleRevision
from billing.money import Money
from records.intents import get_intent
from records.proposed import AgentProposal
from records.tokens import live_approvers
from records.views import CaseView, InvoiceView
from starter.console.desk import Desk
from starter.console.pages.acts import Act, possible, possible_for
from starter.console.pages.editing import Edit, effect
from starter.console.pages.versions import changed_since
from starter.console.render import page


@dataclass
class Filled:
    """A form as it stands: what was typed, for which revision, and the seal of the edit whose effect was seen."""

    revision: str
    words: str = ""
    to: str = ""
    parts: list[str] = field(default_factory=list)
    edit: Edit | None = None
    seal: str = ""

    @classmethod
    def empty(cls, view: InvoiceView, act: Act, case: CaseView | None) -> Self:
        """As it is first shown: an edit begins with what stands, or with what the recipient asks for."""
        change = case.comparison if case else None
        edit = None
        if act.edits and view.content:
            edit = Edit.proposed(change) if change and change.parts else Edit.of(view.content)
        return cls(revision=view.revision, edit=edit, parts=[part.value for part in change.parts] if change else [])

    def take(self, said: AgentProposal, view: InvoiceView) -> None:
        """As an agent proposed it. Its reasons are no words of a person's; its answer to the recipient is an offer."""
        if said.parts is not None:
            self.parts = list(said.parts)
        if said.patch is not None and view.content is not None:
            self.edit = Edit.proposed(effect(view.content, said.patch, view.currency))
        if said.answer is Action.DECLINE_CHANGE:
            self.words = said.note

    @classmethod
    def sent(cls, form: FormData, act: Act) -> Self:
        """As it came back."""
        texts = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
        return cls(
            revision=texts.get("revision", ""),
            words=texts.get("words", ""),
            to=texts.get("to", ""),
            parts=[part for part in form.getlist("parts") if isinstance(part, str)],
            edit=Edit.sent(form) if act.edits else None,
            seal=texts.get("seal", ""),
        )


@dataclass
class Asked:
    """`change` is the effect of an edit, `problem` why it was not done, `seen` the revision that a link came from.

    `proposal` is the agent's that the form is filled with.
    """

    request: Request
    desk: Desk
    view: InvoiceView
    act: Act
    case: CaseView | None
    filled: Filled
    change: Comparison | None = None
    problem: BillhookError | None = None
    seen: str = ""
    proposal: AgentProposal | None = None

    @property
    def is_open(self) -> bool:
        """Whether the state machine has this action open, for this change request where it is about one."""
        acts = possible_for(self.view, self.case) if self.case else possible(self.view)
        return self.act in acts

    async def shown(self) -> Response:
        """The page with the form; refused, with why, and with what changed meanwhile if that is why."""
        news = changed_since(self.view, self.seen)
        if isinstance(self.problem, StaleRevision):
            self.filled.revision = self.view.revision
        return page(
            self.request,
            "act.html",
            status=self.problem.status if self.problem else 200,
            invoice=self.view,
            act=self.act,
            case=self.case,
            filled=self.filled,
            change=self.change,
            problem=self.problem,
            is_open=self.is_open,
            approvers=await self._approvers() if self.act.to else [],
            news=news,
            proposal=self.proposal,
        )

    async def _approvers(self) -> list[str]:
        """Those to whom it can be put: the same who could say yes to it now."""
        view, policy = self.view, self.desk.parts.policy
        async with self.desk.parts.database.session() as session:
            live, intent = await live_approvers(session), await get_intent(session, view.key)
        standing = Standing(intent.source.triggered_by if intent else "", live, view.approved_by)
        total = Money(minor=view.total_minor, currency=view.currency)
        return [name for name in live if not may_not_approve(policy, name, total, standing)]
