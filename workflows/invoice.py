"""One invoice, from the intent to billed: the workflow whose `run` reads as the sentence in the design.

Handlers append to the inbox; one that owes an answer also tells our records what came of it, and changes nothing
(workflows/own_records.py). The main loop reads it wherever the invoice rests, one thing at a time, so there are no
locks. Each step asks the state whether it is still to be taken; an edit or a next version simply walks the sentence
again, and so does the run that follows a continue-as-new.
"""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import signatures as step
    from billing import told
    from billing.events import InvoiceEvent
    from billing.record import InvoiceRecord, Status
    from workflows.amendments import Amendments
    from workflows.approval import Approval
    from workflows.cases import close_cases
    from workflows.ending import Ending
    from workflows.inbox import Inbox
    from workflows.interruptions import Edited, Stopped
    from workflows.people import People
    from workflows.recipient import RecipientWatch
    from workflows.requests import Requests
    from workflows.rest import Rest
    from workflows.state import InvoiceStart, InvoiceState
    from workflows.steps import Steps


@workflow.defn
class InvoiceWorkflow(People):
    """Workflow id = key. Ends billed, rejected or cancelled; never fails because an outside system did."""

    @workflow.init
    def __init__(self, start: InvoiceStart) -> None:
        self._intent = start.intent
        self._state = start.state or InvoiceState.of(start.intent, workflow.now())
        self._inbox = Inbox()
        rest = Rest(self._intent, self._state, self._inbox)
        self._steps = Steps(self._state, self._inbox, rest, start.intent.source.triggered_by)
        self._requests = Requests(self._intent, self._state)
        self._say, self._records = self._steps.say, self._steps.records
        self._amendments = Amendments(self._state, self._steps, self._requests)
        self._ending = Ending(self._state, self._inbox, self._steps, self._requests, self._amendments)

    @workflow.run
    async def run(self, start: InvoiceStart) -> InvoiceRecord:
        while not self._state.approved_at:
            try:
                await self._draft()
                await self._assess()
                await self._decide()
                await self._issue()
                await self._deliver()
                await self._watch()
            except Edited:
                continue
            except Stopped as stop:
                if await self._ending.withdrawn(stop):
                    return await self._ending.close()
        await self._bill(self._state.approved_at)
        return await self._ending.close()

    async def _draft(self) -> None:
        state = self._state
        if state.external_id is None:
            draft = await self._steps.take(step.CREATE_DRAFT, self._requests.create)
            state.external_id, state.due_date, state.carries = draft.external_id, draft.due_date, draft.carries
            self._say.note("drafted", "billhook", f"draft {draft.external_id} over {state.commercial.total}")
        if state.wants_patch:
            draft = await self._steps.take(step.PATCH_DRAFT, self._requests.patch)
            state.patched_revision, state.due_date, state.carries = state.revision, draft.due_date, draft.carries
            state.patches += 1
            carried = f", carrying {', '.join(state.carries)}" if state.carries else ""
            self._say.note("patched", "billhook", f"draft patched to {state.commercial.total}{carried}")
        self._inbox.check_stop()

    async def _assess(self) -> None:
        state = self._state
        if state.is_issued or state.revision in {state.assessed_revision, state.approved_revision}:
            return
        state.assessment = await self._records.ask(step.ASSESS, self._requests.assess(workflow.now()))
        state.assessed_revision = state.revision
        reasons = " ".join(reason.text for reason in state.assessment.reasons)
        words = "issue at once" if state.assessment.automatic else f"a person must decide. {reasons}"
        self._say.note("assessed", "policy", words)
        if state.assessment.assignee_reason:
            self._say.note("assigned", "policy", state.assessment.assignee_reason)

    async def _decide(self) -> None:
        if not self._state.is_cleared and not self._state.is_issued:
            await Approval(self._intent, self._state, self._inbox, self._steps).wait()

    async def _issue(self) -> None:
        state = self._state
        if state.is_issued:
            return
        self._say.become(Status.ISSUING)
        if state.version == 1:
            issued = await self._steps.take(step.ISSUE, self._requests.issue)
        else:
            issued = await self._steps.take(step.REVISE, self._requests.revise)
            close_cases(state, issued.version, workflow.now())
        state.was_issued(issued.version, workflow.now())
        state.link, state.due_date = issued.link, issued.due_date
        self._say.note("issued", "billhook", told.issued(issued.version, state.commercial.total))
        self._say.become(Status.SENT, "Waits for the recipient to look at it.")

    async def _deliver(self) -> None:
        state = self._state
        if state.delivered_version == state.issued_version or state.life().approved_at:
            return
        await self._steps.take(step.SEND_MAIL, lambda: self._requests.mail("link"))
        state.delivered_version = state.issued_version
        state.follow_up_at = state.assessment.follow_up_at(workflow.now()) if state.assessment else None

    async def _watch(self) -> None:
        watch = RecipientWatch(self._intent, self._state, self._inbox, self._steps)
        await watch.until_approved()

    async def _bill(self, approved_at: datetime) -> None:
        """Reads the locked version back, then CRM and accounting. A person may close it unbilled if that cannot be."""
        state = self._state
        try:
            locked = await self._steps.take(step.READ_LOCKED, self._requests.read_locked, stoppable=False)
            await self._amendments.read_back(locked)
            if self._intent.deal_id:
                await self._steps.take(step.MARK_BILLED, self._requests.mark_billed, stoppable=False)
                self._say.note("crm", "billhook", f"deal {self._intent.deal_id} marked billed")
            await self._steps.take(step.POST_INVOICE, lambda: self._requests.post(approved_at), stoppable=False)
        except Stopped as stop:
            self._say.note("abandoned", stop.actor, f"closed without billing: {stop.reason}")
            self._say.become(stop.status)
            return
        self._say.note("accounting", "billhook", f"{state.commercial.total} posted, receivable against revenue")
        self._say.become(Status.BILLED)

    # Events, as the card names them: they read well in the Temporal UI and can be sent from it.

    @workflow.signal(description="The recipient opened the page: the event of the webhook")
    def viewed(self, event: InvoiceEvent) -> None:
        self._inbox.events.append(event)

    @workflow.signal(description="The recipient edited a field that is theirs: the event of the webhook")
    def amended(self, event: InvoiceEvent) -> None:
        self._inbox.events.append(event)

    @workflow.signal(description="The recipient asks for a change: the event of the webhook")
    def change_requested(self, event: InvoiceEvent) -> None:
        self._inbox.events.append(event)

    @workflow.signal(description="The recipient approved a version: the event of the webhook")
    def approved(self, event: InvoiceEvent) -> None:
        self._inbox.events.append(event)

    @workflow.signal(description="The invoice was voided at the invoicing API: the event of the webhook")
    def voided(self, event: InvoiceEvent) -> None:
        self._inbox.events.append(event)

    @workflow.signal(description="Go on on the workers' current version, as soon as it rests; no argument")
    def upgrade(self) -> None:
        """Being woken is all: see workflows/rest.py."""

    @workflow.query(description="The present state, as our records will hold it")
    def snapshot(self) -> InvoiceRecord:
        return self._state.record()
