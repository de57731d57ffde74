"""Accounting as a double-entry journal that `bean-check` and every Beancount tool reads.

The text is written here; Beancount's own code (GPL) is never imported. Several processes may post to one file: a lock
file serialises them, and every posting stands between a begin and an end mark, so that what a kill left half written
is known for what it is and cut off before the next one. A process reads only what was appended since it last looked.
"""

import asyncio
import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from billing.errors import Conflict
from connectors.beancount_text import BEGIN, END, HEADER, digest, directives, transaction
from connectors.noted import note
from connectors.ports import Posting
from connectors.watched import watched

_BEGUN: Final = re.compile(rf"{BEGIN} (\S+) ([0-9a-f]+)\n")
_OPENED: Final = re.compile(r"\d{4}-\d\d-\d\d (?:open|commodity) (\S+)")
_SYSTEM: Final = "accounting"
_MARK: Final = 64
# Bytes before our place in the file that must still be there, else somebody rewrote it and it is read anew.


class PostedDifferently(Conflict):
    """The journal holds this key with another amount, customer or date."""

    slug = "posted-differently"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the journal holds {key} with other content", next_step="correct the journal by a transaction of your own"
        )


@dataclass
class _Known:
    """What the file holds up to `offset`: a digest per key, and what was opened. `mark` are the bytes before it."""

    offset: int = 0
    mark: bytes = b""
    inode: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)


class BeancountJournal:
    """The journal at `path`, created with its directory at the first posting."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._known = _Known()
        self._thread_lock = threading.Lock()

    async def post(self, posting: Posting) -> None:
        """One transaction per key, on disk when this returns. Raises PostedDifferently, OSError."""
        with watched(_SYSTEM, "POST", "/journal", posting.key):
            stood = await asyncio.to_thread(self._post, posting)
        note(_SYSTEM, "POST", "/journal", step_key=posting.key, replayed=stood)

    def _post(self, posting: Posting) -> bool:
        """Whether it stood there already."""
        with self._locked() as journal:
            self._catch_up(journal)
            standing = self._known.keys.get(posting.key)
            if standing is None:
                self._append(journal, posting)
            elif standing != digest(posting):
                raise PostedDifferently(posting.key)
        return standing is not None

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """The journal, open, with nobody else writing: not in this process, not in another."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A file of its own: editors replace the journal when they save it, and a lock on it would go with the old one.
        with self._thread_lock, self._lock_path.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            with os.fdopen(descriptor, "r+b") as journal:
                yield journal

    def _append(self, journal: IO[bytes], posting: Posting) -> None:
        new = [line for name, line in directives(posting) if name not in self._known.opened]
        # The header goes inside the first block's marks: torn there, it is cut off and written again with it.
        header = [HEADER] if self._known.offset <= 1 else []
        text = transaction(posting, [*header, *new])
        journal.seek(0, os.SEEK_END)
        journal.write(text.encode())
        journal.flush()
        os.fsync(journal.fileno())
        self._catch_up(journal)

    def _catch_up(self, journal: IO[bytes]) -> None:
        """Read what was appended since, and cut off what was begun there and never ended."""
        known = self._known
        status = os.fstat(journal.fileno())
        if status.st_ino != known.inode or not self._is_in_place(journal, status.st_size):
            self._known = known = _Known(inode=status.st_ino)
        if status.st_size == known.offset:
            return
        journal.seek(known.offset)
        whole = self._read(journal)
        if whole < status.st_size:
            self._cut(journal, whole)
        known.offset = whole
        journal.seek(max(0, whole - _MARK))
        known.mark = journal.read(whole - journal.tell())

    def _is_in_place(self, journal: IO[bytes], size: int) -> bool:
        known = self._known
        if size < known.offset:
            return False
        journal.seek(known.offset - len(known.mark))
        return journal.read(len(known.mark)) == known.mark

    def _read(self, journal: IO[bytes]) -> int:
        """Learn every whole posting from here on; where the last whole thing ends."""
        place = whole = journal.tell()
        begun: tuple[str, str] | None = None
        opened: set[str] = set()
        for raw in journal:
            place += len(raw)
            line = raw.decode(errors="replace")
            if found := _BEGUN.fullmatch(line):
                begun, opened = (found[1], found[2]), set()
            elif found := _OPENED.match(line):
                opened.add(found[1])
            if begun and line == f"{END} {begun[0]}\n":
                self._known.keys[begun[0]] = begun[1]
                begun = None
            if begun is None and not _is_torn(line):
                self._known.opened |= opened
                whole = place
        return whole

    def _cut(self, journal: IO[bytes], whole: int) -> None:
        """Take the half-written end out of the books, into a file beside them, in case a person wrote it."""
        journal.seek(whole)
        torn = journal.read()
        with self._path.with_name(f"{self._path.name}.torn").open("ab") as kept:
            kept.write(torn + b"\n")
        journal.truncate(whole)


def _is_torn(line: str) -> bool:
    """A last line without an end that can only be the beginning of one of ours."""
    return not line.endswith("\n") and (f"{BEGIN} ".startswith(line) or line.startswith(f"{BEGIN} "))
