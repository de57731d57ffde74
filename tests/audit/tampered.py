"""A copy of sound books of every source, for a test to spoil at one place."""

import copy
import shutil
import sqlite3
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from audit.auditor import audit
from audit.report import AuditReport, Violation
from audit.sources import Sources
from records.session import Database


@dataclass
class Books:
    """What a played stack left behind; `keys` by path. `address` is the Temporal server that holds the histories."""

    records: Path
    truth: dict[str, Any]
    journal: str
    mails: list[Message]
    keys: dict[str, str]
    address: str
    sound_journal: str = ""

    def copied(self, folder: Path) -> "Books":
        target = folder / "copy.db"
        shutil.copy(self.records, target)
        truth, mails = copy.deepcopy(self.truth), list(self.mails)
        return Books(target, truth, self.journal, mails, self.keys, self.address, self.journal)

    def sql(self, statement: str, *values: Any) -> None:
        """One write into the records; it must touch something, else the test would spoil nothing."""
        with sqlite3.connect(self.records) as connection:
            assert connection.execute(statement, values).rowcount > 0
        connection.close()

    def one(self, query: str, *values: Any) -> Any:
        with sqlite3.connect(self.records) as connection:
            found = connection.execute(query, values).fetchone()
        connection.close()
        return found[0]

    def remote(self, path: str) -> dict[str, Any]:
        """The API's invoice of a path."""
        return next(one for one in self.truth["invoices"] if one["reference"] == self.keys[path])

    def event(self, path: str, kind: str) -> dict[str, Any]:
        """The API's first event of a kind about a path's invoice."""
        return next(
            one
            for one in self.truth["events"]
            if one["data"]["reference"] == self.keys[path] and one["type"] == f"invoice.{kind}"
        )

    async def audited(self, *, histories: bool = False, **sources: Any) -> AuditReport:
        """`sources` override those of the books. A sound journal is left out unless histories are in."""
        ledger = self.records.with_suffix(".beancount")
        ledger.write_text(self.journal)
        kept = ledger if histories or self.journal != self.sound_journal else None
        database = Database(f"sqlite:///{self.records}")
        client = await Client.connect(self.address, data_converter=pydantic_data_converter) if histories else None
        try:
            given = {"truth": self.truth, "ledger": kept, "mails": self.mails, "client": client}
            return await audit(Sources(database, **{**given, **sources}))
        finally:
            await database.close()

    async def found(self, invariant: str, *, histories: bool = False) -> list[Violation]:
        """What the audit says against one invariant."""
        report = await self.audited(histories=histories)
        return [one for name, one in report.violations if name == invariant]
