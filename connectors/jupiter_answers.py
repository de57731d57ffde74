"""What the invoicing API says to us, read strictly: an answer that cannot be right stops here and not in the books."""

import json
import operator
from datetime import date
from functools import reduce
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from billing.errors import BadInput
from billing.money import MAX_MINOR
from billing.ownership import LONGEST_VALUE, RECIPIENT_FIELDS
from billing.provider import from_wire
from connectors.http import BadAnswer
from connectors.jupiter_wire import Wire
from connectors.ports import RemoteInvoice, SurveyPage

Short = Annotated[str, Field(max_length=LONGEST_VALUE)]
_MAX_VERSION: Final = 100_000


class _Answer(BaseModel):
    # Strict, so that "1" is no number and true no amount; fields that we do not know are none of our business.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Address(_Answer):
    line1: Short | None = None
    line2: Short | None = None
    line3: Short | None = None
    city: Short | None = None
    state: Short | None = None
    postal_code: Short | None = None
    country: Short | None = None


class _Contact(_Answer):
    name: Short | None = None
    email: Short | None = None


class _Invoice(_Answer):
    """By our names. The API's number for it is not among them: it stays there."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    status: Literal["draft", "sent", "viewed", "change_requested", "approved", "paid", "voided"]
    version: Annotated[int, Field(ge=1, le=_MAX_VERSION)]
    total: Annotated[int, Field(ge=0, lt=MAX_MINOR)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    share_url: Annotated[str, Field(pattern=r"^https?://[^\s\"'<>]+$", max_length=2000)] | None = None
    due_date: date | None = None
    reference: Short | None = None
    approved_at: AwareDatetime | None = None
    created_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None
    po_number: Short | None = None
    billing_entity: Short | None = None
    address: _Address | None = None
    ap_contact: _Contact | None = None
    tax_id: Short | None = None


_PAGE: Final = TypeAdapter(dict[str, Any])


def read_invoice(wire: Wire, call: str, body: bytes) -> RemoteInvoice:
    """Raises BadAnswer naming the first field that cannot be right."""
    return _invoice(wire, call, _object(call, body))


def read_page(wire: Wire, call: str, body: bytes) -> tuple[list[RemoteInvoice], str | None]:
    """One page of a list and where the next begins. Raises BadAnswer."""
    data, cursor = _list(call, body)
    return [_invoice(wire, call, item) for item in data], cursor


def read_survey(wire: Wire, call: str, body: bytes) -> SurveyPage:
    """The same, but one invoice that cannot be right does not hide the others. Raises BadAnswer on the page itself."""
    data, cursor = _list(call, body)
    invoices: list[RemoteInvoice] = []
    unreadable: dict[str, str] = {}
    for item in data:
        try:
            invoices.append(_invoice(wire, call, item))
        except BadAnswer as error:
            unreadable[str(item.get(wire.field("id")))[:200]] = str(error)[:500]
    return SurveyPage(invoices, unreadable, cursor)


def _list(call: str, body: bytes) -> tuple[list[dict[str, Any]], str | None]:
    page = _object(call, body)
    data, cursor = page.get("data"), page.get("next_cursor")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise BadAnswer(call, "data is no list of objects")
    if cursor is not None and not isinstance(cursor, str):
        raise BadAnswer(call, "next_cursor is no string")
    return data, cursor


def _object(call: str, body: bytes) -> dict[str, Any]:
    try:
        return _PAGE.validate_json(body)
    except ValidationError as error:
        raise BadAnswer(call, "the body is no JSON object") from error


def _invoice(wire: Wire, call: str, found: dict[str, Any]) -> RemoteInvoice:
    ours = {name: _at(found, wire.field(name)) for name in _Invoice.model_fields}
    try:
        # Through JSON again, since only there strict reading takes dates as text.
        invoice = _Invoice.model_validate_json(json.dumps(ours))
        total = from_wire(invoice.total, invoice.currency)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadAnswer(call, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    except BadInput as error:
        raise BadAnswer(call, error.detail) from error
    except ValueError as error:
        raise BadAnswer(call, "a value that JSON cannot hold") from error
    return RemoteInvoice(
        external_id=invoice.id,
        status=invoice.status,
        version=invoice.version,
        total=total,
        link=invoice.share_url,
        due_date=invoice.due_date,
        reference=invoice.reference,
        approved_at=invoice.approved_at,
        created_at=invoice.created_at,
        sent_at=invoice.sent_at,
        recipient_fields=_given(invoice),
    )


def _given(invoice: _Invoice) -> dict[str, Any]:
    """The recipient-owned fields that hold something."""
    dumped = invoice.model_dump(include=set(RECIPIENT_FIELDS), exclude_none=True)
    return {name: dumped[name] for name in RECIPIENT_FIELDS if dumped.get(name)}


def _at(found: dict[str, Any], path: str) -> Any:
    """The value at a dotted path; None where anything on the way is missing."""
    try:
        return reduce(operator.getitem, path.split("."), found)
    except (KeyError, TypeError):
        return None
