"""What each step is asked, built from the present state at the moment that it is taken."""

from datetime import datetime

from activities import signatures as step
from billing.intent import Intent
from workflows.state import InvoiceState


class Requests:
    """The requests of one invoice. `state` is read anew at each call."""

    def __init__(self, intent: Intent, state: InvoiceState) -> None:
        self._intent = intent
        self._state = state

    def create(self) -> step.CreateDraft:
        return step.CreateDraft(
            key=self._state.key,
            customer_id=self._intent.customer_id,
            scope=self._intent.source.scope,
            commercial=self._state.commercial,
            began_at=self._state.began_at,
        )

    def patch(self) -> step.PatchDraft:
        return step.PatchDraft(
            key=self._state.key,
            external_id=self._external_id,
            customer_id=self._intent.customer_id,
            scope=self._intent.source.scope,
            commercial=self._state.commercial,
            revision=self._state.revision,
            earlier=self._state.patches,
        )

    def assess(self, now: datetime) -> step.Assess:
        return step.Assess(
            key=self._state.key,
            motion=self._intent.motion,
            customer_id=self._intent.customer_id,
            scope=self._intent.source.scope,
            commercial=self._state.commercial,
            revision=self._state.revision,
            at=now,
        )

    def issue(self) -> step.Issue:
        return step.Issue(key=self._state.key, external_id=self._external_id, commercial=self._state.commercial)

    def revise(self) -> step.Revise:
        return step.Revise(
            key=self._state.key,
            external_id=self._external_id,
            version=self._state.version,
            commercial=self._state.commercial,
            change_request_id=self._state.answering_case,
        )

    def decline(self, case_id: str, message: str) -> step.DeclineChange:
        return step.DeclineChange(
            key=self._state.key, external_id=self._external_id, change_request_id=case_id, message=message
        )

    def mail(self, kind: str, to: str = "") -> step.SendMail:
        """`to` empty: the recipient, about the issued version; else one of our people, about the present one."""
        total = self._state.commercial.total
        return step.SendMail(
            key=self._state.key,
            kind=kind,
            version=self._state.version if to else self._state.issued_version,
            customer_id=self._intent.customer_id,
            total_minor=total.minor,
            currency=total.currency,
            link=self._state.link,
            due_date=self._state.due_date,
            to=to,
            words=self._state.waiting_for,
        )

    def sync(self, fields: dict[str, step.GivenField], digest: str) -> step.SyncFields:
        return step.SyncFields(
            key=self._state.key,
            customer_id=self._intent.customer_id,
            scope=self._intent.source.scope,
            fields=fields,
            digest=digest,
        )

    def read_locked(self) -> step.ReadLocked:
        return step.ReadLocked(
            key=self._state.key,
            external_id=self._external_id,
            version=self._state.issued_version,
            commercial=self._state.commercial,
        )

    def mark_billed(self) -> step.MarkBilled:
        total = self._state.commercial.total
        return step.MarkBilled(
            key=self._state.key,
            deal_id=self._intent.deal_id or "",
            customer_id=self._intent.customer_id,
            total_minor=total.minor,
            currency=total.currency,
        )

    def post(self, approved_at: datetime) -> step.PostInvoice:
        total = self._state.commercial.total
        return step.PostInvoice(
            key=self._state.key,
            external_id=self._external_id,
            customer_id=self._intent.customer_id,
            motion=self._intent.motion,
            total_minor=total.minor,
            currency=total.currency,
            approved_at=approved_at,
            lines=self._state.commercial.lines,
        )

    def withdraw(self, reason: str) -> step.Withdraw:
        return step.Withdraw(key=self._state.key, external_id=self._state.external_id, reason=reason)

    @property
    def _external_id(self) -> str:
        return self._state.external_id or ""
