"""What each step is asked, built from the present state at the moment that it is taken."""

import hashlib
from datetime import datetime
from typing import Any

from activities import signatures as step
from billing.actions import available_actions
from billing.assessment import Expiry
from billing.intent import Intent
from billing.record import CaseRecord
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
            triggered_by=self._intent.source.triggered_by,
            approved_by=self._state.approved_by,
            agent=self._state.drafting_agent,
            agent_asks=self._state.asked_revision == self._state.revision,
        )

    def put_to(self, to: str, now: datetime, *, or_to: str = "", actor: str = "") -> step.PutTo:
        """At the wish of `actor`, or by the policy."""
        return step.PutTo(
            key=self._state.key,
            actor=actor,
            to=to,
            or_to=or_to,
            commercial=self._state.commercial,
            triggered_by=self._intent.source.triggered_by,
            approved_by=self._state.approved_by,
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

    def mail(self, kind: str) -> step.SendMail:
        """To the recipient, about the issued version."""
        return self._mail(kind, self._state.issued_version)

    def approval_mail(self, kind: str, to: str, *, actor: str, message: str) -> step.SendMail:
        """To one of our people, about the present revision that waits for a decision."""
        put, assessment = self._state.approval, self._state.assessment
        case = self._state.answering_case
        until = put.expire_at if put and "expiry" not in put.rung else None
        return self._mail(
            # Another request may want what one before it wanted, and is put to people as well.
            f"{kind}:{_short(case)}" if case else kind,
            self._state.version,
            to=to,
            until=until,
            zone=put.calendar.zone if put else "UTC",
            reasons=tuple(reason.text for reason in assessment.reasons) if assessment else (),
            actions=self._actions(),
            message=message,
            actor=actor,
            then=self._at_expiry() if until else "",
        )

    def case_mail(self, kind: str, to: str, case: CaseRecord) -> step.SendMail:
        """To one of our people, about a change request. Its words are the recipient's."""
        assessment = self._state.assessment
        return self._mail(
            f"{kind}:{_short(case.id)}:{_short(case.owner)}",
            case.version,
            to=to,
            until=case.deadline,
            zone=assessment.case_calendar.zone if assessment else "UTC",
            actions=self._actions(),
            message=case.message,
            actor=case.owner,
            case_id=case.id,
        )

    def _at_expiry(self) -> str:
        put, issued = self._state.approval, self._state.issued_version
        if put and put.expiry is Expiry.KEEP:
            return "it is escalated and waits on"
        return f"the change is declined and V{issued} stands" if issued else "the draft is discarded"

    def _actions(self) -> tuple[str, ...]:
        state = self._state
        return tuple(available_actions(state.status, approved=state.approved_at is not None))

    def _mail(self, kind: str, version: int, **more: Any) -> step.SendMail:
        total = self._state.commercial.total
        return step.SendMail(
            key=self._state.key,
            kind=kind,
            version=version,
            customer_id=self._intent.customer_id,
            total_minor=total.minor,
            currency=total.currency,
            link=self._state.link,
            due_date=self._state.due_date,
            **more,
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


def _short(name: str) -> str:
    """`name`, or its hash where it is the API's to choose and long: it must fit into a mail's kind."""
    return name if len(name) <= _LONGEST else hashlib.sha256(name.encode()).hexdigest()[:_LONGEST]


_LONGEST = 60
