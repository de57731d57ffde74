"""The names that the invoicing API's published pages leave open: our choice, in one table that a setting overrides.

`BILLHOOK_JUPITER_WIRE='{"path.issue": "/invoices/{id}/finalize"}'` is all it takes where the live API differs.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from billing.errors import BadInput

PREFIX: Final = "/api/v1"

OURS: Final = MappingProxyType(
    {
        "path.invoices": "/invoices",
        "path.invoice": "/invoices/{id}",
        "path.issue": "/invoices/{id}/issue",
        "path.versions": "/invoices/{id}/versions",
        "path.decline": "/invoices/{id}/change-requests/{cr}/decline",
        "path.void": "/invoices/{id}/void",
        "page.recipient": "/i/{token}",
        "query.preview": "preview",
        "header.idempotency": "Idempotency-Key",
        "query.reference": "reference",
        "query.cursor": "cursor",
        "query.limit": "limit",
        "field.reference": "reference",
        "field.payment_terms": "payment_terms",
        "field.billing_entity": "recipient.billing_entity",
        "field.address": "recipient.address",
        "field.ap_contact": "recipient.ap_contact",
        "field.tax_id": "recipient.tax_id",
        "field.po_number": "po_number",
        "field.change_request_id": "change_request_id",
        "field.version": "version",
        "field.total": "total_cents",
        "field.approved_at": "approved_at",
        "field.created_at": "created_at",
        "field.sent_at": "sent_at",
    }
)


@dataclass(frozen=True)
class Wire:
    """`OURS` with a setting's overrides in place."""

    names: MappingProxyType[str, str]

    @classmethod
    def of(cls, overrides: dict[str, str] | None = None) -> "Wire":
        """Raises BadInput on an override of a name that is not in the table."""
        for name in overrides or {}:
            if name not in OURS:
                raise BadInput("jupiter_wire", f"{name!r} is no name of ours", f"use one of {', '.join(sorted(OURS))}")
        return cls(MappingProxyType({**OURS, **(overrides or {})}))

    def __getitem__(self, name: str) -> str:
        return self.names[name]

    def path(self, name: str, **ids: str) -> str:
        """The call's path; ids are opaque and escaped whole, a slash or a `..` in one cannot leave its place."""
        return PREFIX + self.names[f"path.{name}"].format(**{key: _segment(value) for key, value in ids.items()})

    def page(self, token: str) -> str:
        """The recipient's page, beside the API and not below its prefix."""
        return self.names["page.recipient"].format(token=_segment(token))

    def field(self, name: str) -> str:
        """Where our field `name` lives in an invoice, dots for nesting; what is not in the table keeps its name."""
        return self.names.get(f"field.{name}", name)


def _segment(value: str) -> str:
    # `.` and `..` survive quoting and would be resolved away by URL handling.
    return quote(value, safe="").replace(".", "%2E") if value.strip(".") == "" else quote(value, safe="")
