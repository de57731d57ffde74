"""Do a keyed thing once, and say the same again to whoever asks again.

The answer is stored in the transaction that does the thing, so a key is never known without its effect nor the other
way round. Only answers that changed something are kept: a refusal changed nothing, and asking again may well succeed.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.faults import FaultBox
from sandbox.problems import Conflict, Invalid
from sandbox.store import Store, Tx
from sandbox.wire import answer, canonical, dumps, read_body

LONGEST_KEY = 255

Action = Callable[[Tx], Any]


class Once:
    """Runs the writes of the API, at most once per key."""

    def __init__(self, store: Store, faults: FaultBox, ttl_s: int) -> None:
        self._store, self._faults, self._ttl_s = store, faults, ttl_s
        self._in_flight: dict[str, str] = {}

    async def run(self, request: Request, action: Action, status: int = 200) -> Response:
        """Run `action` in a transaction and answer what it returns.

        Raises `Conflict` while the same key is still running, `Invalid` when it was used with another body.
        """
        key = request.headers.get("Idempotency-Key")
        if key is None:
            await self._faults.linger()
            with self._store.transaction() as tx:
                return answer(action(tx), status)
        return await self._keyed(_checked(key), fingerprint(request, await request.body()), action, status)

    async def _keyed(self, key: str, print_: str, action: Action, status: int) -> Response:
        running = self._in_flight.get(key)
        if running is not None:
            _same(running, print_)
            raise Conflict("A request with this Idempotency-Key is still running.", "Idempotency-Key")
        self._in_flight[key] = print_
        try:
            await self._faults.linger()
            with self._store.transaction() as tx:
                return self._replay(tx, key, print_) or self._first(tx, key, print_, action, status)
        finally:
            del self._in_flight[key]

    def _replay(self, tx: Tx, key: str, print_: str) -> Response | None:
        tx.run("DELETE FROM idempotency WHERE key = ? AND kept_at <= ?", key, self._now() - self._ttl_s)
        kept = tx.one("SELECT * FROM idempotency WHERE key = ?", key)
        if kept is None:
            return None
        _same(kept["fingerprint"], print_)
        again = {"Idempotent-Replayed": "true"}
        return Response(kept["body"], kept["status"], again, media_type="application/json")

    def _first(self, tx: Tx, key: str, print_: str, action: Action, status: int) -> Response:
        result = action(tx)
        columns = (key, print_, status, dumps(result), self._now())
        tx.run("INSERT INTO idempotency (key, fingerprint, status, body, kept_at) VALUES (?, ?, ?, ?, ?)", *columns)
        return answer(result, status)

    def _now(self) -> float:
        return self._store.clock.present().timestamp()

    def sweep(self) -> None:
        """Forget keys past their life."""
        with self._store.transaction() as tx:
            tx.run("DELETE FROM idempotency WHERE kept_at <= ?", self._now() - self._ttl_s)


def fingerprint(request: Request, raw: bytes) -> str:
    """What makes two requests the same: method, path and the body's content, not its spelling."""
    content = f"{request.method} {request.url.path}\n{canonical(read_body(raw))}"
    return hashlib.sha256(content.encode()).hexdigest()


def _checked(key: str) -> str:
    if not 0 < len(key) <= LONGEST_KEY:
        raise Invalid(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.", "Idempotency-Key")
    return key


def _same(known: str, print_: str) -> None:
    if known != print_:
        raise Invalid("This Idempotency-Key was used with another request.", "Idempotency-Key")
