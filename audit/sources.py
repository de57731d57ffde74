"""Where an audit looks. Whatever cannot be reached is None, and the report says what was not compared for want of it.

The audit reads and never writes, and may run while invoices do. What has changed since `as_of` is left alone as in
flight, so `as_of` is a moment before the first of the sources was read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from temporalio.client import Client

from records.session import Database
from records.sql import now


@dataclass(frozen=True)
class Sources:
    """`truth` is what the sandbox answers to `GET /_sandbox/audit`, `mails` what a mail sink got.

    A `ledger` that does not exist is an empty journal. `as_of` is by the clock that stamps our records.
    """

    database: Database
    truth: dict[str, Any] | None = None
    ledger: Path | None = None
    mails: Sequence[Message] | None = None
    client: Client | None = None
    as_of: datetime = field(default_factory=now)


def read_mails(directory: Path) -> list[Message]:
    """Every mail that the embedded sink keeps in `directory`. Raises OSError."""
    return list(_headers(sorted(directory.glob("*.eml"))))


def _headers(paths: Iterable[Path]) -> Iterable[Message]:
    for path in paths:
        with path.open("rb") as file:
            # The headers are all that an audit needs of a mail; they end at the first empty line.
            head = bytearray()
            for line in file:
                if not line.strip():
                    break
                head += line
        yield message_from_bytes(bytes(head))
