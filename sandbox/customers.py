"""The customer register: a number and a code for each company that is billed."""

from typing import Any

from sandbox.problems import NotFound
from sandbox.store import Row, Tx
from sandbox.wire import dumps, loads

BLANK: dict[str, Any] = {
    "contact": None, "ap_contact": None, "billing_entity": None, "address": None, "cc_emails": [],
    "po_required": False, "notes": None,
}  # fmt: skip


def create(tx: Tx, wanted: dict[str, Any]) -> dict[str, Any]:
    """A new customer."""
    row = tx.run("INSERT INTO customers (doc) VALUES (?)", dumps(BLANK | _kept(wanted)))
    return get(tx, row.lastrowid or 0)


def get(tx: Tx, customer_id: int) -> dict[str, Any]:
    """One customer. Raises `NotFound`."""
    row = tx.one("SELECT * FROM customers WHERE id = ?", customer_id)
    if row is None:
        raise NotFound("There is no such customer.")
    return _read(row)


def patch(tx: Tx, customer_id: int, wanted: dict[str, Any]) -> dict[str, Any]:
    """Change the fields that are given."""
    doc = {name: value for name, value in get(tx, customer_id).items() if name not in ("id", "code")}
    tx.run("UPDATE customers SET doc = ? WHERE id = ?", dumps(doc | _kept(wanted)), customer_id)
    return get(tx, customer_id)


def page(tx: Tx, after: int, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` customers beyond an id."""
    return [_read(row) for row in tx.all("SELECT * FROM customers WHERE id > ? ORDER BY id LIMIT ?", after, limit)]


def _read(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "code": f"C-{row['id']:05d}", **loads(row["doc"])}


def _kept(wanted: dict[str, Any]) -> dict[str, Any]:
    """A null clears a field to what it was at first; a company has no such value and stays."""
    return {name: BLANK.get(name) if value is None else value for name, value in wanted.items()
            if name != "company" or value is not None}  # fmt: skip
