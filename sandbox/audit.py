"""The sandbox's own truth, for whoever wants to compare it with what they believe."""

from typing import Any

from sandbox.numbering import survey
from sandbox.recipient import change_requests
from sandbox.store import Row, Tx
from sandbox.wire import loads

OF_INVOICE = (
    "id", "reference", "number", "version", "status", "total_cents", "currency", "customer_id", "line_items",
    "discount", "issue_date", "due_date", "payment_terms", "po_number", "recipient",
    "created_at", "sent_at", "approved_at", "paid_at",
)  # fmt: skip
OF_DELIVERY = ("kind", "state", "attempts", "last_status", "last_error", "finished_at")


def truth(tx: Tx, prefix: str) -> dict[str, Any]:
    """`{invoices, events, numbers}`: every invoice, every event with its deliveries, the state of the series."""
    docs = [loads(row["doc"]) for row in tx.all("SELECT doc FROM invoices ORDER BY seq")]
    return {
        "invoices": [_invoice(tx, doc) for doc in docs],
        "events": [_event(tx, row) for row in tx.all("SELECT * FROM events ORDER BY seq")],
        "numbers": survey(tx, prefix),
    }


def _invoice(tx: Tx, doc: dict[str, Any]) -> dict[str, Any]:
    rows = tx.all("SELECT * FROM versions WHERE invoice_id = ? ORDER BY version", doc["id"])
    found = {name: doc[name] for name in OF_INVOICE}
    found["versions"] = [_version(row) for row in rows]
    found["change_requests"] = change_requests(tx, doc["id"])
    found["mailed"] = sum(entry["kind"] == "mailed" for entry in tx.thread(doc["id"]))
    return found


def _version(row: Row) -> dict[str, Any]:
    times = {name: row[name] for name in ("version", "created_at", "viewed_at", "approved_at")}
    doc = loads(row["doc"])
    return times | {"total_cents": doc["total_cents"], "currency": doc["currency"]}


def _event(tx: Tx, row: Row) -> dict[str, Any]:
    owed = tx.all(
        "SELECT d.*, e.url FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id WHERE event_id = ? ORDER BY d.id",
        row["id"],
    )
    deliveries = [{"endpoint": one["url"]} | {name: one[name] for name in OF_DELIVERY} for one in owed]
    event: dict[str, Any] = loads(row["body"])
    return event | {"deliveries": deliveries}
