"""What people decide, whichever way they say it: the HTTP API, the desk and agents ask through here and nowhere else.

A wish is read, sent to the invoice's workflow as an update, and answered by it: the workflow has the last word. Who
asks is a name that the face has already admitted; whether he may decide this is checked in the workflow, once for all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from billing.agents import open_to_agents
from billing.decisions import Action, Answer, Cancel, Decide, DecideChange, Delegate, Propose, Retry, Wish, action_of
from billing.errors import BadInput, Conflict, NotFound, NotPossible
from billing.intent import Patch
from billing.motions import PatchBody
from billing.record import Status
from records import invoices
from records.session import Database
from records.views import InvoiceView
from starter import asking
from starter.client import Engine, NoSuchWorkflow

Words = Annotated[str, Field(max_length=4000)]


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecisionBody(_Wish):
    """`revision` is the one that you saw; a patch edits the draft and is approved with it."""

    action: Literal["approve", "reject"]
    revision: Annotated[str, Field(min_length=1, max_length=64)]
    note: Words = ""
    patch: PatchBody | None = None


class ChangeDecisionBody(_Wish):
    """Take the case, accept it with the edit that makes the next version, or decline it with words to the recipient.

    Accepted without a patch, the next version is what the recipient proposed; `parts` (of line_items, discount,
    payment_terms, due_date) names what is accepted where that is not all of it.
    """

    action: Literal["accept", "decline", "take"]
    note: Words = ""
    patch: PatchBody | None = None
    parts: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=20)] | None = None


class DelegateBody(_Wish):
    """`to` is the name of the approver who is to decide."""

    to: Annotated[str, Field(min_length=1, max_length=100)]
    note: Words = ""


class CancelBody(_Wish):
    """Why; it goes on the record."""

    reason: Words


class RetryBody(_Wish):
    """Resume a parked invoice, with an edit if need be; `abandon` gives it up instead."""

    reason: Words = ""
    patch: PatchBody | None = None
    abandon: bool = False


CATCHING_UP_S: Final = (0.1, 0.2, 0.4, 0.8)
# Taking a task again takes milliseconds for each of its steps in our records.
_CASE_ACTIONS = {"accept": Action.ACCEPT_CHANGE, "decline": Action.DECLINE_CHANGE, "take": Action.TAKE_CHANGE}


class Deciding:
    """Every method raises NotFound, the workflow's refusal, Conflict, NoAnswerYet or EngineUnreachable.

    `once` is the caller's idempotency key: who heard no answer asks again with it, and is answered as the first time.
    """

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def decide(self, key: str, actor: str, body: DecisionBody, once: str | None = None) -> Answer:
        """A decision on another revision than the present one raises StaleRevision, which names the present one."""
        view = await self.view(key)
        wish = Decide(
            action=Action(body.action),
            approver=actor,
            revision=body.revision,
            note=body.note,
            patch=_patch(body.patch, view),
        )
        client = await self._engine.client()
        return await self._asked(key, wish, lambda: asking.decide(client, key, wish, once))

    async def delegate(self, key: str, actor: str, body: DelegateBody, once: str | None = None) -> Answer:
        """Put an open approval to somebody else."""
        await self.view(key)
        wish = Delegate(actor=actor, to=body.to, note=body.note)
        client = await self._engine.client()
        return await self._asked(key, wish, lambda: asking.delegate(client, key, wish, once))

    async def answer_case(
        self, key: str, case_id: str, actor: str, body: ChangeDecisionBody, once: str | None = None
    ) -> Answer:
        """Take, accept or decline a change request."""
        view = await self.view(key)
        wish = DecideChange(
            action=_CASE_ACTIONS[body.action],
            case_id=case_id,
            actor=actor,
            note=body.note,
            patch=_patch(body.patch, view),
            parts=None if body.parts is None else tuple(body.parts),
        )
        client = await self._engine.client()
        return await self._asked(key, wish, lambda: asking.decide_change_request(client, key, wish, once))

    async def cancel(self, key: str, actor: str, body: CancelBody, once: str | None = None) -> Answer:
        """Discard the draft or void the invoice."""
        await self.view(key)
        wish = Cancel(actor=actor, reason=body.reason)
        client = await self._engine.client()
        return await self._asked(key, wish, lambda: asking.cancel(client, key, wish, once))

    async def retry(self, key: str, actor: str, body: RetryBody, once: str | None = None) -> Answer:
        """Resume or abandon a parked invoice."""
        view = await self.view(key)
        wish = Retry(actor=actor, reason=body.reason, patch=_patch(body.patch, view), abandon=body.abandon)
        client = await self._engine.client()
        return await self._asked(key, wish, lambda: asking.retry(client, key, wish, once))

    async def propose(self, key: str, wish: Propose) -> Answer:
        """What an agent wishes. It decides nothing: the policy or a person does."""
        client = await self._engine.client()
        return await self._asked(key, wish, lambda: asking.propose(client, key, wish))

    async def view(self, key: str) -> InvoiceView:
        """The invoice as our records tell it. Raises NotFound."""
        async with self._database.session() as session:
            view = await invoices.get_view(session, key)
        if view is None:
            raise NotFound(f"no invoice {key!r}", next_step="the keys are listed by GET /invoices")
        return view

    async def _asked(self, key: str, wish: Wish, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The workflow's answer; where none runs, what our records say of why."""
        try:
            return await self._asked_in_time(key, wish, ask)
        except NoSuchWorkflow as error:
            view, action = await self.view(key), action_of(wish)
            if Status(view.status).is_end or view.status == Status.DRAFTING:
                raise NotPossible(action.value, view.status, ", ".join(view.available_actions) or "nothing") from error
            raise Conflict(
                f"no workflow runs for {key}, though it is {view.status}",
                next_step="look for it in the Temporal UI; it was terminated there, or belongs to another namespace",
            ) from error

    async def _asked_in_time(self, key: str, wish: Wish, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Where a worker died, the workflow comes back to what our records hold only as its task is taken again; what
        they offer is not refused for that."""
        for wait_s in CATCHING_UP_S:
            try:
                return await ask()
            except (NotPossible, BadInput) as refusal:
                if refusal.is_kept or not _may_pass(refusal) or not _is_offered(wish, await self.view(key)):
                    raise
            await asyncio.sleep(wait_s)
        return await ask()


def open_to(agent: str, view: InvoiceView) -> tuple[Action, ...]:
    """What `agent` may propose as our records stand."""
    return open_to_agents(view.status, is_own_draft=view.version == 1 and view.agent == agent)


def _may_pass(refusal: NotPossible | BadInput) -> bool:
    """Whether it speaks of where the workflow is, and not of what was sent: a state, or a case not heard of yet."""
    return isinstance(refusal, NotPossible) or refusal.field == "id"


def _is_offered(wish: Wish, view: InvoiceView) -> bool:
    """Whether our records say that it can be done."""
    case_id = wish.case_id if isinstance(wish, DecideChange | Propose) else ""
    if case_id and case_id not in {case.id for case in view.cases if case.status == "open"}:
        return False
    return action_of(wish) in (open_to(wish.actor, view) if isinstance(wish, Propose) else view.available_actions)


def _patch(body: PatchBody | None, view: InvoiceView) -> Patch | None:
    return None if body is None else body.to_patch(view.currency)
