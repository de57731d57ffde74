"""One SQLite file, one connection, short transactions.

Everything runs on the event loop and no transaction awaits anything, so transactions never overlap and need no lock.
What must happen only once a commit has succeeded (waking the webhook loop) is registered on the transaction.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.problems import NotFound
from sandbox.wire import dumps, loads

SCHEMA = """
CREATE TABLE IF NOT EXISTS invoices (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, share_token TEXT NOT NULL UNIQUE,
  reference TEXT, status TEXT NOT NULL, ordinal INTEGER UNIQUE, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS invoices_reference ON invoices (reference);
CREATE INDEX IF NOT EXISTS invoices_status ON invoices (status);
CREATE TABLE IF NOT EXISTS versions (
  invoice_id TEXT NOT NULL, version INTEGER NOT NULL, created_at TEXT NOT NULL, viewed_at TEXT, approved_at TEXT,
  doc TEXT NOT NULL, PRIMARY KEY (invoice_id, version));
CREATE TABLE IF NOT EXISTS series (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS change_requests (
  id TEXT PRIMARY KEY, invoice_id TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS change_requests_invoice ON change_requests (invoice_id);
CREATE TABLE IF NOT EXISTS thread (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, invoice_id TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS thread_invoice ON thread (invoice_id);
CREATE TABLE IF NOT EXISTS endpoints (
  id TEXT PRIMARY KEY, url TEXT NOT NULL UNIQUE, secret TEXT NOT NULL, events TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, created_at TEXT NOT NULL,
  invoice_id TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, endpoint_id TEXT NOT NULL, kind TEXT NOT NULL,
  state TEXT NOT NULL, due_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_status INTEGER,
  last_error TEXT, finished_at TEXT);
CREATE INDEX IF NOT EXISTS deliveries_state ON deliveries (state);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event_id);
CREATE TABLE IF NOT EXISTS idempotency (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, kept_at REAL NOT NULL);
"""

Row = sqlite3.Row
PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 5000", "temp_store = MEMORY")
# WAL with NORMAL loses nothing when the process is killed; only a power cut could take the last commits.


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, always with six digits after the second."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Clock:
    """UTC times that never repeat and never step back, so that events sort by time alone; until somebody sets it.

    Set, it goes on from there at the usual pace. What it told last does not bind it then: a clock that was put right
    is one of the things that a receiver has to live with.
    """

    def __init__(self, last: str | None = None) -> None:
        self._last = datetime.fromisoformat(last) if last else datetime.min.replace(tzinfo=UTC)
        self._ahead = timedelta()

    def set(self, moment: datetime | None) -> None:
        """From now on it is `moment` (aware); None puts it back to real time."""
        self._ahead = moment.astimezone(UTC) - datetime.now(UTC) if moment else timedelta()
        self._last = min(self._last, self.present())

    def present(self) -> datetime:
        """The present moment; asking changes nothing."""
        return datetime.now(UTC) + self._ahead

    def now(self) -> str:
        """The present, or one microsecond after the last answer, whichever is later."""
        self._last = max(self.present(), self._last + timedelta(microseconds=1))
        return stamp(self._last)

    def today(self) -> str:
        """The date in UTC."""
        return self.present().date().isoformat()


class Tx:
    """One open transaction: reads, writes, and what to do once it is committed."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection, self.clock = connection, clock
        self.after_commit: list[Callable[[], None]] = []

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Execute one statement; values are always bound, never pasted."""
        return self._connection.execute(sql, values)

    def one(self, sql: str, *values: Any) -> Row | None:
        """The first row, if any."""
        found: Row | None = self.run(sql, *values).fetchone()
        return found

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row."""
        return self.run(sql, *values).fetchall()

    def invoice(self, invoice_id: str) -> dict[str, Any]:
        """An invoice by id. Raises `NotFound`."""
        return self._doc(self.one("SELECT doc FROM invoices WHERE id = ?", invoice_id))

    def shared(self, token: str) -> dict[str, Any]:
        """An invoice by its share token. Raises `NotFound`."""
        return self._doc(self.one("SELECT doc FROM invoices WHERE share_token = ?", token))

    @staticmethod
    def _doc(row: Row | None) -> dict[str, Any]:
        if row is None:
            raise NotFound("There is no such invoice.")
        found: dict[str, Any] = loads(row["doc"])
        return found

    def insert_invoice(self, doc: dict[str, Any]) -> None:
        """Store a new invoice."""
        columns = (doc["id"], doc["share_token"], doc["reference"], doc["status"], dumps(doc))
        self.run("INSERT INTO invoices (id, share_token, reference, status, doc) VALUES (?, ?, ?, ?, ?)", *columns)

    def save_invoice(self, doc: dict[str, Any]) -> None:
        """Store an invoice's new state."""
        columns = (doc["reference"], doc["status"], dumps(doc), doc["id"])
        self.run("UPDATE invoices SET reference = ?, status = ?, doc = ? WHERE id = ?", *columns)

    def note(self, invoice_id: str, kind: str, text: str, **more: Any) -> None:
        """Add an entry to the invoice's thread."""
        entry = {"at": self.clock.now(), "kind": kind, "text": text, **more}
        self.run("INSERT INTO thread (invoice_id, doc) VALUES (?, ?)", invoice_id, dumps(entry))

    def thread(self, invoice_id: str) -> list[dict[str, Any]]:
        """The invoice's thread, oldest first."""
        rows = self.all("SELECT doc FROM thread WHERE invoice_id = ? ORDER BY seq", invoice_id)
        return [loads(row["doc"]) for row in rows]


class Store:
    """The file, opened for as long as the sandbox lives."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._connection.row_factory = sqlite3.Row
        for pragma in PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)
        last = self._connection.execute("SELECT max(created_at) FROM events").fetchone()[0]
        self.clock = Clock(last)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Commit when the block ends, roll back when it raises. The block must not await."""
        tx = Tx(self._connection, self.clock)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield tx
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        for follow_up in tx.after_commit:
            follow_up()

    def reading(self) -> Tx:
        """A view for reads alone; outside a transaction each statement sees the last commit."""
        return Tx(self._connection, self.clock)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._connection.close()
