"""What the invoicing API says of an invoice, in our words. No number, no PDF: those stay there."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from billing.money import Money


@dataclass(frozen=True)
class RemoteInvoice:
    """`status` is the API's word (draft, sent, viewed, change_requested, approved, paid, voided); `recipient_fields`
    holds the recipient-owned fields by the names of billing/ownership.py, absent ones left out.
    """

    external_id: str
    status: str
    version: int
    total: Money
    link: str | None
    due_date: date | None
    reference: str | None
    approved_at: datetime | None = None
    recipient_fields: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True)
class RemoteVersion:
    """One version of an invoice's history; times that the API does not tell are None."""

    version: int
    created_at: datetime | None = None
    viewed_at: datetime | None = None


@dataclass(frozen=True)
class RemoteRequest:
    """A change request as the recipient's page shows it. `message` and `proposed` are untrusted text."""

    id: str
    version: int
    is_open: bool
    message: str
    proposed: dict[str, Any] | None
    at: datetime | None


@dataclass(frozen=True)
class Details:
    """What is read of one invoice only where its list entry does not say enough.

    `requests` is None where the recipient's page could not be read.
    """

    versions: tuple[RemoteVersion, ...] = ()
    requests: tuple[RemoteRequest, ...] | None = None

    def of(self, version: int) -> RemoteVersion:
        return next((one for one in self.versions if one.version == version), RemoteVersion(version))
