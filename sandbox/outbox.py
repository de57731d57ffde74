"""Events and the deliveries they owe, written in the same transaction as the change they tell of.

Killed at any moment, the sandbox either did a thing and will tell of it, or did not do it.
"""

import time
from collections.abc import Callable
from typing import Any

from sandbox.faults import FaultBox
from sandbox.store import Row, Tx
from sandbox.wire import dumps, loads, new_id

Wake = Callable[[int, float], None]


class Outbox:
    """Where events are put; `wake` is told of each delivery once it is committed."""

    def __init__(self, faults: FaultBox) -> None:
        self._faults = faults
        self.wake: Wake = _nobody_listens

    def emit(self, tx: Tx, kind: str, invoice: dict[str, Any], **more: Any) -> None:
        """Record an event about the invoice and one delivery per endpoint that wants it."""
        event_id, now = new_id("evt"), tx.clock.now()
        fields = {"invoice_id": invoice["id"], **{name: invoice[name] for name in ("reference", "version", "status")}}
        data = fields | {name: value for name, value in more.items() if value is not None}
        body = dumps({"id": event_id, "type": kind, "created_at": now, "data": data})
        columns = (event_id, kind, now, invoice["id"], body)
        tx.run("INSERT INTO events (id, type, created_at, invoice_id, body) VALUES (?, ?, ?, ?, ?)", *columns)
        for endpoint in tx.all("SELECT * FROM endpoints"):
            if wants(endpoint, kind):
                self._owe(tx, event_id, endpoint["id"])

    def _owe(self, tx: Tx, event_id: str, endpoint_id: str) -> None:
        fate = self._faults.delivery()
        due_at = time.time() + fate.delay_s
        if fate.forged:
            self._add(tx, event_id, endpoint_id, "forged", due_at)
        self._add(tx, event_id, endpoint_id, "dropped" if fate.dropped else "genuine", due_at)
        if fate.duplicated and not fate.dropped:
            self._add(tx, event_id, endpoint_id, "duplicate", due_at)

    def _add(self, tx: Tx, event_id: str, endpoint_id: str, kind: str, due_at: float) -> None:
        state = "dropped" if kind == "dropped" else "pending"
        row = tx.run(
            "INSERT INTO deliveries (event_id, endpoint_id, kind, state, due_at) VALUES (?, ?, ?, ?, ?)",
            event_id, endpoint_id, kind, state, due_at,
        )  # fmt: skip
        if state == "pending" and row.lastrowid is not None:
            delivery_id = row.lastrowid
            tx.after_commit.append(lambda: self.wake(delivery_id, due_at))


def wants(endpoint: Row, kind: str) -> bool:
    """Whether an endpoint asked for this kind of event; an empty list asks for all."""
    listed = loads(endpoint["events"])
    return not listed or kind in listed


def _nobody_listens(delivery_id: int, due_at: float) -> None:
    """Deliveries stay in the file until a courier loads them."""
