"""Questions to our own records: the policy's assessment, who may decide. Run as local activities."""

from temporalio import activity

from activities import signatures
from billing.policy import Assessment, Policy, assess
from records import customers, invoices, late, tokens
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
        """The policy's answer on this revision, kept with its inputs."""
        async with self._database.transaction() as session:
            history = await customers.history(session, request.customer_id, excluding=request.key)
            found = assess(
                self._policy,
                motion=request.motion,
                total=request.commercial.total,
                history=history,
                now=request.at,
            )
            await invoices.save_assessment(session, request.key, request.revision, found)
        return found

    @activity.defn(name=signatures.AUTHORIZE.name)
    async def authorize(self, request: signatures.Authorize) -> signatures.Verdict:
        """Approvers are the names of live tokens with scope approve; the policy may narrow them."""
        async with self._database.session() as session:
            live = await tokens.live_approvers(session)
        refusal = self._policy.may_approve(
            request.actor,
            total=request.commercial.total,
            triggered_by=request.triggered_by,
            live_approvers=live,
        )
        return signatures.Verdict(refusal=refusal)
