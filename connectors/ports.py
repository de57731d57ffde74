"""What Billhook asks of outside systems: one small Protocol each, so that another system can stand beside the first.

Every write takes a step key and must be safe to repeat with it. Failures are raised as `connectors.http.CallFailed`
(HTTP) or the connector's own error; `activities/classify.py` turns them into retry, retry at, or never.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from billing.intent import Commercial, Line
from billing.money import Money
from billing.remote import Details
from billing.remote import RemoteInvoice as RemoteInvoice  # noqa: PLC0414 - whoever speaks the port needs its words


@dataclass(frozen=True)
class Recipient:
    """Whom the invoice is for: the two fields that are ours."""

    company: str
    email: str


class Invoicing(Protocol):
    """The invoicing API."""

    async def create_draft(
        self, reference: str, recipient: Recipient, commercial: Commercial, *, step_key: str
    ) -> RemoteInvoice: ...

    async def patch_draft(
        self,
        external_id: str,
        *,
        commercial: Commercial,
        carried: dict[str, Any],
        step_key: str,
    ) -> RemoteInvoice: ...

    async def issue(self, external_id: str, *, send: bool, step_key: str) -> RemoteInvoice: ...

    async def revise(
        self, external_id: str, commercial: Commercial, *, change_request_id: str | None, step_key: str
    ) -> RemoteInvoice: ...

    async def decline_change(
        self, external_id: str, change_request_id: str, message: str, *, step_key: str
    ) -> RemoteInvoice: ...

    async def discard(self, external_id: str) -> None: ...

    async def void(self, external_id: str, reason: str, *, step_key: str) -> RemoteInvoice: ...

    async def get(self, external_id: str) -> RemoteInvoice: ...

    async def find(self, reference: str) -> RemoteInvoice | None: ...

    async def survey(self, cursor: str | None) -> "SurveyPage": ...

    async def details(self, invoice: RemoteInvoice) -> Details: ...


@dataclass(frozen=True)
class SurveyPage:
    """One page of all invoices. `unreadable` are the ids of those that cannot be right, each with the reason."""

    invoices: list[RemoteInvoice]
    unreadable: dict[str, str]
    next_cursor: str | None


@dataclass(frozen=True)
class Mail:
    """One mail, text and HTML, with a Message-ID made of the step key so that a repeat is seen as one."""

    to: str
    subject: str
    text: str
    html: str
    step_key: str


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None: ...


class Crm(Protocol):
    """The CRM: customer fields that recipients gave, deals that are billed."""

    async def update_customer(self, customer_id: str, fields: dict[str, Any], *, step_key: str) -> None: ...

    async def mark_billed(self, deal_id: str, customer_id: str, key: str, total: Money, *, step_key: str) -> None: ...


@dataclass(frozen=True)
class Posting:
    """Receivable against revenue for one approved invoice. `lines` are for the narration only."""

    key: str
    external_id: str
    customer_id: str
    customer_name: str
    motion: str
    total: Money
    approved_on: date
    lines: tuple[Line, ...] = ()


class Accounting(Protocol):
    async def post(self, posting: Posting) -> None: ...
