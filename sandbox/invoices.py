"""What the sender may do with an invoice: draft, patch, issue, revise, void, discard.

Each function takes the open transaction, changes one invoice and returns it as the API answers it. An amount, a status
and an event change together or not at all.
"""

import re
import secrets
from datetime import date, timedelta
from typing import Any

from sandbox import money
from sandbox.config import SandboxConfig
from sandbox.numbering import next_number
from sandbox.outbox import Outbox
from sandbox.problems import Conflict, Invalid, NotFound
from sandbox.store import Tx
from sandbox.wire import dumps, loads, new_id

OPEN = frozenset({"sent", "viewed", "change_requested"})
BLANK: dict[str, Any] = dict.fromkeys(
    ("number", "customer_id", "recipient", "line_items", "discount", "issue_date", "due_date", "payment_terms",
     "po_number", "footer_note", "reference", "sent_at", "approved_at", "paid_at"),
)  # fmt: skip

RECIPIENT: dict[str, Any] = dict.fromkeys(("company", "email", "billing_entity", "address", "ap_contact", "tax_id"))


class Invoices:
    """The sender's side of every invoice."""

    def __init__(self, config: SandboxConfig, outbox: Outbox) -> None:
        self._config, self._outbox = config, outbox

    def create(self, tx: Tx, wanted: dict[str, Any]) -> dict[str, Any]:
        """A draft. Raises `Invalid` without a recipient, a line, or a way to tell when it is due."""
        token = secrets.token_urlsafe(24)
        doc = {"id": new_id("inv"), **BLANK, "status": "draft", "version": 1, "currency": "USD", "share_token": token}
        doc |= {"share_url": f"{self._config.public_url.rstrip('/')}/i/{token}", "created_at": tx.clock.now()}
        doc |= _with_customer(tx, wanted)
        doc["recipient"] = RECIPIENT | (doc["recipient"] or {})
        doc["total_cents"] = check(doc)
        tx.insert_invoice(doc)
        return doc

    def patch(self, tx: Tx, invoice_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Change a draft. Raises `Conflict` on anything else."""
        doc = tx.invoice(invoice_id)
        if doc["status"] != "draft":
            raise Conflict(f"Only a draft can be changed; this invoice is {doc['status']}.")
        if wanted.get("recipient") is not None:
            wanted["recipient"] = (doc["recipient"] or {}) | wanted["recipient"]
        doc = apply_terms(doc, _with_customer(tx, wanted))
        doc["total_cents"] = check(doc)
        tx.save_invoice(doc)
        return doc

    def issue(self, tx: Tx, invoice_id: str, *, send: bool) -> dict[str, Any]:
        """Give a draft its number and date and open it to the recipient; an issued invoice is answered unchanged."""
        doc = tx.invoice(invoice_id)
        if doc["status"] != "draft":
            return doc
        doc["number"] = next_number(tx, invoice_id, self._config.number_prefix)
        doc["issue_date"] = doc["issue_date"] or tx.clock.today()
        doc["due_date"] = doc["due_date"] or due_date(doc["payment_terms"], doc["issue_date"])
        doc |= {"status": "sent", "sent_at": tx.clock.now()}
        if send:
            tx.note(invoice_id, "mailed", f"Link mailed to {doc['recipient'].get('email') or 'nobody: no address'}")
        self._open_version(tx, doc)
        return doc

    def revise(self, tx: Tx, invoice_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Make version n+1 of an issued invoice; open change requests end with it."""
        doc = tx.invoice(invoice_id)
        require_open(doc, "revised")
        accepted = wanted.pop("change_request_id", None)
        if accepted is not None:
            open_request(tx, invoice_id, accepted)
        if not wanted:
            raise Invalid("A new version changes at least one commercial field.", "line_items")
        doc = apply_terms(doc, wanted)
        doc["due_date"] = doc["due_date"] or due_date(doc["payment_terms"], doc["issue_date"])
        doc |= {"total_cents": check(doc), "version": doc["version"] + 1, "status": "sent"}
        _end_requests(tx, invoice_id, accepted)
        self._open_version(tx, doc)
        return doc

    def _open_version(self, tx: Tx, doc: dict[str, Any]) -> None:
        tx.save_invoice(doc)
        columns = (doc["id"], doc["version"], tx.clock.now(), dumps(doc))
        tx.run("INSERT INTO versions (invoice_id, version, created_at, doc) VALUES (?, ?, ?, ?)", *columns)
        self._outbox.emit(tx, "invoice.sent", doc)

    def decline(self, tx: Tx, invoice_id: str, request_id: str, message: str) -> dict[str, Any]:
        """Answer a change request with no; the invoice goes back to where it was."""
        doc = tx.invoice(invoice_id)
        open_request(tx, invoice_id, request_id)
        tx.run("UPDATE change_requests SET status = 'declined' WHERE id = ?", request_id)
        tx.note(invoice_id, "declined", message, change_request_id=request_id)
        if doc["status"] == "change_requested" and not open_requests(tx, invoice_id):
            doc["status"] = "viewed" if was_viewed(tx, doc) else "sent"
            tx.save_invoice(doc)
        return doc

    def void(self, tx: Tx, invoice_id: str, reason: str) -> dict[str, Any]:
        """Take an issued, unapproved invoice back; it keeps its number. A voided one is answered unchanged."""
        doc = tx.invoice(invoice_id)
        if doc["status"] == "voided":
            return doc
        require_open(doc, "voided")
        doc["status"] = "voided"
        tx.save_invoice(doc)
        tx.note(invoice_id, "voided", reason)
        self._outbox.emit(tx, "invoice.voided", doc)
        return doc

    def discard(self, tx: Tx, invoice_id: str) -> None:
        """Throw a draft away; it had no number. Raises `Conflict` on anything else."""
        doc = tx.invoice(invoice_id)
        if doc["status"] != "draft":
            raise Conflict(f"Only a draft can be discarded; this invoice is {doc['status']}.")
        tx.run("DELETE FROM invoices WHERE id = ?", invoice_id)

    def pay(self, tx: Tx, invoice_id: str) -> dict[str, Any]:
        """Play the money's arrival on an approved invoice."""
        doc = tx.invoice(invoice_id)
        if doc["status"] == "paid":
            return doc
        if doc["status"] != "approved":
            raise Conflict(f"Only an approved invoice is paid; this one is {doc['status']}.")
        doc |= {"status": "paid", "paid_at": tx.clock.now()}
        tx.save_invoice(doc)
        self._outbox.emit(tx, "invoice.paid", doc)
        return doc


def check(doc: dict[str, Any]) -> int:
    """The total in minor units. Raises `Invalid` where the invoice lacks what every invoice needs."""
    recipient = doc["recipient"] or {}
    if not (recipient.get("company") or recipient.get("email")):
        raise Invalid("A recipient needs a company or an email.", "recipient")
    if not doc["line_items"]:
        raise Invalid("At least one line is needed.", "line_items")
    if not (doc["due_date"] or doc["payment_terms"]):
        raise Invalid("Either due_date or payment_terms is needed.", "due_date")
    if doc["currency"] is None:
        raise Invalid("A currency is needed.", "currency")
    return money.total(doc["line_items"], doc["discount"])


def due_date(terms: str | None, issued: str) -> str:
    """The issue date plus the days in `net_N`; `due_on_receipt` is the day itself."""
    days = re.fullmatch(r"net_(\d+)", terms or "")
    return (date.fromisoformat(issued) + timedelta(days=int(days[1]) if days else 0)).isoformat()


def apply_terms(doc: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The invoice with the wanted fields; new payment terms without a date replace the old date."""
    terms = wanted.get("payment_terms")
    if terms and terms != doc["payment_terms"] and "due_date" not in wanted:
        wanted = wanted | {"due_date": None}
    return doc | wanted


def require_open(doc: dict[str, Any], what: str) -> None:
    """Raise `Conflict` unless the invoice is issued and neither approved, paid nor voided."""
    if doc["status"] not in OPEN:
        raise Conflict(f"This invoice is {doc['status']} and cannot be {what}.")


def was_viewed(tx: Tx, doc: dict[str, Any]) -> bool:
    """Whether the current version has been opened."""
    row = tx.one("SELECT viewed_at FROM versions WHERE invoice_id = ? AND version = ?", doc["id"], doc["version"])
    return row is not None and row["viewed_at"] is not None


def open_requests(tx: Tx, invoice_id: str) -> list[str]:
    """Ids of the change requests that wait for an answer."""
    return [row["id"] for row in tx.all(
        "SELECT id FROM change_requests WHERE invoice_id = ? AND status = 'open' ORDER BY rowid", invoice_id,
    )]  # fmt: skip


def open_request(tx: Tx, invoice_id: str, request_id: str) -> None:
    """Raise `NotFound` or `Conflict` unless this change request waits for an answer."""
    row = tx.one("SELECT status FROM change_requests WHERE id = ? AND invoice_id = ?", request_id, invoice_id)
    if row is None:
        raise NotFound("There is no such change request.", "change_request_id")
    if row["status"] != "open":
        raise Conflict(f"This change request is already {row['status']}.", "change_request_id")


def _end_requests(tx: Tx, invoice_id: str, accepted: str | None) -> None:
    tx.run(
        "UPDATE change_requests SET status = CASE WHEN id = ? THEN 'accepted' ELSE 'superseded' END"
        " WHERE invoice_id = ? AND status = 'open'",
        accepted, invoice_id,
    )  # fmt: skip


def _with_customer(tx: Tx, wanted: dict[str, Any]) -> dict[str, Any]:
    """Fill the recipient from a named customer where the caller left it out."""
    if wanted.get("customer_id") is None:
        return wanted
    row = tx.one("SELECT doc FROM customers WHERE id = ?", wanted["customer_id"])
    if row is None:
        raise Invalid("There is no such customer.", "customer_id")
    if wanted.get("recipient") is not None:
        return wanted
    known = loads(row["doc"])
    recipient = {name: known[name] for name in ("company", "billing_entity", "address", "ap_contact")}
    return wanted | {"recipient": recipient | {"email": (known["contact"] or {}).get("email")}}
