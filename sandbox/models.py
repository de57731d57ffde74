"""What comes in, field by field, and what the published schema says goes out.

Unknown fields are refused: a stand-in that lets a misspelt field pass would hide the very mistake it is there to show.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from sandbox.money import LARGEST, decimals

Text = Annotated[str, StringConstraints(max_length=500)]
LongText = Annotated[str, StringConstraints(max_length=5000)]
Cents = Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)]
Terms = Annotated[str, StringConstraints(pattern=r"^(due_on_receipt|net_[0-9]{1,3})$")]
Status = Literal["draft", "sent", "viewed", "change_requested", "approved", "paid", "voided"]


def _known_currency(code: str) -> str:
    if decimals(code) is None:
        raise ValueError("not an ISO 4217 currency with a minor unit")
    return code


CurrencyCode = Annotated[str, AfterValidator(_known_currency)]


class Strict(BaseModel):
    """No field but those named."""

    model_config = ConfigDict(extra="forbid")


class Address(Strict):
    line1: Text | None = None
    line2: Text | None = None
    line3: Text | None = None
    city: Text | None = None
    state: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None


class Contact(Strict):
    name: Text | None = None
    email: Text | None = None


class Recipient(Strict):
    company: Text | None = None
    email: Text | None = None
    billing_entity: Text | None = None
    address: Address | None = None
    ap_contact: Contact | None = None
    tax_id: Text | None = None


class LineItem(Strict):
    description: Annotated[str, StringConstraints(min_length=1, max_length=5000)]
    quantity: Annotated[Decimal, Field(gt=0, max_digits=15)]
    unit_price_cents: Cents


class PercentDiscount(Strict):
    type: Literal["percent"]
    value: Annotated[Decimal, Field(ge=0, le=100, max_digits=15)]


class FlatDiscount(Strict):
    type: Literal["flat"]
    value_cents: Annotated[int, Field(strict=True, ge=0, le=LARGEST)]


Discount = Annotated[PercentDiscount | FlatDiscount, Field(discriminator="type")]
Lines = Annotated[list[LineItem], Field(min_length=1, max_length=500)]


class InvoicePatch(Strict):
    """Any writable field of a draft; what is absent stays."""

    customer_id: int | None = None
    recipient: Recipient | None = None
    line_items: Lines | None = None
    currency: CurrencyCode | None = None
    discount: Discount | None = None
    issue_date: date | None = None
    due_date: date | None = None
    payment_terms: Terms | None = None
    po_number: Text | None = None
    footer_note: LongText | None = None
    reference: Annotated[str, StringConstraints(max_length=255)] | None = None


class InvoiceDraft(InvoicePatch):
    """A new invoice: who pays, for what, and by when."""

    line_items: Lines
    currency: CurrencyCode = "USD"


class InvoiceOut(BaseModel):
    """An invoice as the API answers it."""

    id: str
    number: str | None
    status: Status
    version: int
    customer_id: int | None
    recipient: Recipient
    line_items: list[LineItem]
    currency: str
    discount: Discount | None
    total_cents: int
    issue_date: date | None
    due_date: date | None
    payment_terms: str | None
    po_number: str | None
    footer_note: str | None
    reference: str | None
    share_token: str
    share_url: str
    created_at: str
    sent_at: str | None
    approved_at: str | None
    paid_at: str | None


class InvoicePage(BaseModel):
    data: list[InvoiceOut]
    next_cursor: str | None


class IssueOrder(Strict):
    send: bool = False


class Proposal(Strict):
    """Commercial fields: what a version is made of, and what a recipient may ask for."""

    line_items: Lines | None = None
    discount: Discount | None = None
    currency: CurrencyCode | None = None
    payment_terms: Terms | None = None
    due_date: date | None = None


class VersionOrder(Proposal):
    change_request_id: str | None = None


class Decline(Strict):
    message: LongText = ""


class VoidOrder(Strict):
    reason: LongText = ""


class CustomerPatch(Strict):
    company: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    contact: Contact | None = None
    ap_contact: Contact | None = None
    billing_entity: Text | None = None
    address: Address | None = None
    cc_emails: list[Text] | None = None
    po_required: bool | None = None
    notes: LongText | None = None


class CustomerIn(CustomerPatch):
    company: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class CustomerOut(BaseModel):
    id: int
    code: str
    company: str
    contact: Contact | None
    ap_contact: Contact | None
    billing_entity: str | None
    address: Address | None
    cc_emails: list[str]
    po_required: bool
    notes: str | None


EventType = Literal[
    "invoice.sent", "invoice.viewed", "invoice.amended", "invoice.change_requested", "invoice.approved",
    "invoice.paid", "invoice.voided",
]  # fmt: skip


class EndpointIn(Strict):
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000)]
    events: list[EventType] = Field(default_factory=list)
    secret: str | None = None


class EndpointOut(BaseModel):
    id: str
    url: str
    events: list[str]
    secret: str | None = None


def given(model: BaseModel) -> dict[str, Any]:
    """Only what the caller wrote, dates as ISO text, Decimals kept."""
    found: dict[str, Any] = _plain(model.model_dump(exclude_unset=True))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
