"""Questions to our own records: the policy's assessment, who may decide. Run as local activities."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities import signatures
from billing import agents, approvers
from billing.assessing import approval_times, assess
from billing.assessment import Assessment, Reason
from billing.decisions import Action
from billing.money import Money
from billing.policy import Policy
from records import invoices, known, late, tokens
from records.session import Database


class RecordActivities:
    """`policy` as the worker read it at start; its hash goes into every assessment."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    @activity.defn(name=signatures.SAVE_RECORD.name)
    async def save_record(self, request: signatures.Request) -> signatures.Nothing:
        """The record that rides on every request is the whole step; activities/recording.py has saved it by now."""
        return signatures.Nothing()

    @activity.defn(name=signatures.STATE_LATE.name)
    async def state_late(self, request: signatures.StateLate) -> signatures.Nothing:
        """What became of an event that came after the end."""
        async with self._database.transaction() as session:
            await late.state(session, request.key, request.told, request.entries, recipient=request.recipient)
        return signatures.Nothing()

    @activity.defn(name=signatures.ASSESS.name)
    async def assess(self, request: signatures.Assess) -> Assessment:
        """The policy's answer on this revision, kept with its inputs. What counts from its calendars later is counted
        in the workflow, which looks nothing up."""
        total = request.commercial.total
        standing = approvers.Standing(request.triggered_by, await self._live(), request.approved_by)
        async with self._database.transaction() as session:
            history = await known.history(
                session, request.customer_id, excluding=request.key, scope=request.scope, currency=total.currency
            )
            found = assess(
                self._policy,
                motion=request.motion,
                total=total,
                history=history,
                now=request.at,
                scope=request.scope,
                standing=standing,
                agent=await self._hold(session, request) if request.agent else None,
            )
            await invoices.save_assessment(session, request.key, request.revision, found)
        return found.spelled_out(request.at.year)

    async def _hold(self, session: AsyncSession, request: signatures.Assess) -> Reason | None:
        """The gate that no agent passes by itself. Its token is read now: it may have been revoked or have expired."""
        token = await tokens.find_named(session, request.agent)
        grant = None if token is None else tokens.grant_of(token)
        total = request.commercial.total
        return agents.hold(request.agent, grant, request.customer_id, total, asked=request.agent_asks)

    @activity.defn(name=signatures.AUTHORIZE.name)
    async def authorize(self, request: signatures.Authorize) -> signatures.Verdict:
        """Approvers are the names of live tokens with scope approve; the policy may narrow them."""
        total = request.commercial.total
        refusal = approvers.refusal(
            self._policy,
            request.actor,
            request.action,
            total=total,
            triggered_by=request.triggered_by,
            live=await self._live(),
            approved_by=request.approved_by,
        )
        return signatures.Verdict(
            refusal=refusal,
            approvals_needed=self._policy.approvals_needed(total),
            mail=self._policy.mail_of(request.actor),
        )

    @activity.defn(name=signatures.PUT_TO.name)
    async def put_to(self, request: signatures.PutTo) -> signatures.Placed:
        """Whoever it is put to must be able to say yes to it; his calendar counts from now on."""
        total = request.commercial.total
        standing = approvers.Standing(request.triggered_by, await self._live(), request.approved_by)
        if request.actor:
            refusal = self._delegation_refused(request, total, standing)
            choice = approvers.Choice(request.to)
        else:
            refusal, choice = "", approvers.chosen(self._policy, (request.to, request.or_to), total, standing)
        return signatures.Placed(refusal=refusal) if refusal else self._placed(choice, request.at)

    def _delegation_refused(self, request: signatures.PutTo, total: Money, standing: approvers.Standing) -> str:
        """Empty if `actor` may hand it on, and `to` may approve it."""
        may_not = approvers.refusal(
            self._policy,
            request.actor,
            Action.DELEGATE,
            total=total,
            triggered_by=standing.triggered_by,
            live=standing.live,
        )
        return may_not or approvers.may_not_approve(self._policy, request.to, total, standing)

    def _placed(self, choice: approvers.Choice, at: datetime) -> signatures.Placed:
        times = approval_times(self._policy, choice.name, at)
        return signatures.Placed(
            reason=choice.reason,
            assignee=choice.name,
            assignee_mail=self._policy.mail_of(choice.name),
            calendar=self._policy.calendar_of(choice.name).spelled_out(at.year),
            remind_at=times["remind_at"],
            escalate_at=times["escalate_at"],
        )

    async def _live(self) -> list[str]:
        async with self._database.session() as session:
            return await tokens.live_approvers(session)
