"""What the recipient may do: look, amend, ask for a change, approve, comment, forward.

The class of a change decides its effect. An amendment keeps the version, a change request waits for the sender, an
approval locks the invoice for good.
"""

from typing import Any

from sandbox.invoices import require_open, was_viewed
from sandbox.outbox import Outbox
from sandbox.problems import Conflict, NotFound
from sandbox.store import Tx
from sandbox.wire import dumps, loads, new_id

Actor = dict[str, Any] | None


class RecipientDesk:
    """The recipient's side of every invoice, reached by its share token alone."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def look(self, tx: Tx, token: str, *, counts: bool) -> dict[str, Any]:
        """The invoice; the first look at a version that counts is told to the sender."""
        doc = issued(tx, token)
        if counts and doc["status"] in ("sent", "viewed", "change_requested") and not was_viewed(tx, doc):
            where = (tx.clock.now(), doc["id"], doc["version"])
            tx.run("UPDATE versions SET viewed_at = ? WHERE invoice_id = ? AND version = ?", *where)
            if doc["status"] == "sent":
                doc["status"] = "viewed"
                tx.save_invoice(doc)
            self._outbox.emit(tx, "invoice.viewed", doc)
        return doc

    def amend(self, tx: Tx, token: str, wanted: dict[str, Any], actor: Actor) -> dict[str, Any]:
        """Set recipient-owned fields; only what really changed is stored, logged and told."""
        doc = issued(tx, token)
        require_open(doc, "amended")
        changes = {name: change for name in wanted if (change := _change(doc, name, wanted[name]))}
        if not changes:
            return doc
        for name, change in changes.items():
            (doc if name == "po_number" else doc["recipient"])[name] = change["to"]
        tx.save_invoice(doc)
        tx.note(doc["id"], "amended", ", ".join(changes), changes=changes, by=actor)
        self._outbox.emit(tx, "invoice.amended", doc, changes=changes, actor=actor)
        return doc

    def request_change(
        self, tx: Tx, token: str, message: str, proposed: dict[str, Any], actor: Actor
    ) -> dict[str, Any]:
        """Ask the sender for another version."""
        doc = issued(tx, token)
        require_open(doc, "changed")
        request = {"id": new_id("cr"), "message": message} | ({"proposed": proposed} if proposed else {})
        columns = (request["id"], doc["id"], doc["version"], dumps(request))
        tx.run(
            "INSERT INTO change_requests (id, invoice_id, version, status, doc) VALUES (?, ?, ?, 'open', ?)", *columns
        )
        doc["status"] = "change_requested"
        tx.save_invoice(doc)
        tx.note(doc["id"], "change_requested", message, change_request_id=request["id"], by=actor)
        self._outbox.emit(tx, "invoice.change_requested", doc, change_request=request, actor=actor)
        return doc

    def approve(self, tx: Tx, token: str, version: int, actor: Actor) -> dict[str, Any]:
        """Approve the current version and lock it. Raises `Conflict` on any other version."""
        doc = issued(tx, token)
        if version != doc["version"]:
            raise Conflict(f"Version {version} is not the current one; version {doc['version']} is.", "version")
        if doc["status"] == "approved":
            return doc
        require_open(doc, "approved")
        doc |= {"status": "approved", "approved_at": tx.clock.now()}
        tx.save_invoice(doc)
        where = (doc["approved_at"], doc["id"], version)
        tx.run("UPDATE versions SET approved_at = ? WHERE invoice_id = ? AND version = ?", *where)
        tx.run("UPDATE change_requests SET status = 'withdrawn' WHERE invoice_id = ? AND status = 'open'", doc["id"])
        tx.note(doc["id"], "approved", f"Version {version}", by=actor)
        self._outbox.emit(tx, "invoice.approved", doc, actor=actor)
        return doc

    def comment(self, tx: Tx, token: str, message: str, actor: Actor) -> dict[str, Any]:
        """Add to the thread; no event, no state."""
        doc = issued(tx, token)
        tx.note(doc["id"], "comment", message, by=actor)
        return doc

    def forward(self, tx: Tx, token: str, email: str, message: str, actor: Actor) -> dict[str, Any]:
        """Note who else was given the link; the sandbox sends no mail."""
        doc = issued(tx, token)
        tx.note(doc["id"], "forwarded", message, to=email, by=actor)
        return doc


def issued(tx: Tx, token: str) -> dict[str, Any]:
    """An invoice that its recipient may see. Raises `NotFound`, for a draft too."""
    doc = tx.shared(token)
    if doc["status"] == "draft":
        raise NotFound("There is no such invoice.")
    return doc


def change_requests(tx: Tx, invoice_id: str) -> list[dict[str, Any]]:
    """The invoice's change requests with their state, oldest first."""
    rows = tx.all("SELECT * FROM change_requests WHERE invoice_id = ? ORDER BY rowid", invoice_id)
    return [loads(row["doc"]) | {"version": row["version"], "status": row["status"]} for row in rows]


def _change(doc: dict[str, Any], name: str, value: Any) -> dict[str, Any] | None:
    """`{from, to}`, or None when nothing changes; parts of an address or a contact that are not named stay."""
    before = (doc if name == "po_number" else doc["recipient"]).get(name)
    after = value
    if isinstance(value, dict):
        after = {part: text for part, text in ((before or {}) | value).items() if text}
        before_full = {part: text for part, text in (before or {}).items() if text}
        return None if after == before_full else {"from": before, "to": after}
    return None if (after or None) == (before or None) else {"from": before, "to": after or None}
