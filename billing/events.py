"""The invoicing API's webhook events, as the workflow, the intake and the fold know them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from billing.keys import RECONCILED
from billing.untrusted import storable

Json = Annotated[Any, AfterValidator(storable)]
Text = Annotated[str, AfterValidator(storable)]


class EventType(StrEnum):
    """Types that mean something to us; any other is kept and ignored with a reason."""

    SENT = "invoice.sent"
    VIEWED = "invoice.viewed"
    AMENDED = "invoice.amended"
    CHANGE_REQUESTED = "invoice.change_requested"
    APPROVED = "invoice.approved"
    PAID = "invoice.paid"
    VOIDED = "invoice.voided"


class _Outside(BaseModel):
    # Outside bodies grow; a field that we do not know is no error.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Change(_Outside):
    """One amended field, before and after. Values are strings, or objects for address and ap_contact."""

    from_: Json = Field(default=None, alias="from")
    to: Json = None

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)


class ChangeRequest(_Outside):
    """A recipient's wish about commercial content. `message` and `proposed` are untrusted text."""

    id: str = Field(min_length=1, max_length=200)
    message: Text = Field(default="", max_length=20_000)
    proposed: Annotated[dict[str, Any] | None, AfterValidator(storable)] = None


class Actor(_Outside):
    name: Text | None = None
    email: Text | None = None


class EventData(_Outside):
    invoice_id: str = Field(min_length=1, max_length=200)
    reference: str | None = Field(default=None, max_length=500)
    version: int = Field(default=1, ge=1)
    status: str | None = None
    changes: dict[str, Change] | None = None
    change_request: ChangeRequest | None = None
    actor: Actor | None = None


class InvoiceEvent(_Outside):
    """One event: `id` is unique at the API, `created_at` is when it happened there."""

    id: str = Field(min_length=1, max_length=200)
    type: str = Field(min_length=1, max_length=100)
    created_at: AwareDatetime
    data: EventData

    @property
    def by_reconciliation(self) -> bool:
        """Whether no webhook brought it: we derived it from what the API said when we looked."""
        return self.id.startswith(RECONCILED)

    @property
    def who(self) -> str:
        """Whose doing it was, as far as the API says."""
        return self.data.actor.email if self.data.actor and self.data.actor.email else "recipient"

    @property
    def words(self) -> str:
        """What happened, for a timeline."""
        how = " (by reconciliation)" if self.by_reconciliation else ""
        return f"{self.type.removeprefix('invoice.').replace('_', ' ')} V{self.data.version}{how}"

    @property
    def order(self) -> tuple[datetime, str]:
        """The one order in which events count, whatever order they arrive in."""
        return (self.created_at, self.id)
