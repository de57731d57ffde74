"""Everything that is known of one invoice, side by side: our records, its history, the journal, the API, its mails."""

from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from typing import Any

from audit.histories import History
from audit.journal import Entry, Journal
from audit.truth import Remote, Truth
from records.papers import Papers
from records.tables import EntryRow


@dataclass
class World:
    """What is not of one invoice alone. None: that source was not reachable."""

    as_of: datetime
    truth: Truth | None = None
    journal: Journal | None = None
    sink: dict[str, list[Message]] | None = None
    chains: dict[str, set[str]] | None = None
    has_engine: bool = False
    late_running: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    external_ids: dict[str, str] = field(default_factory=dict)
    event_ids: set[str] = field(default_factory=set)
    message_ids: set[str] = field(default_factory=set)


@dataclass
class Book(Papers):
    """One invoice: our records of it, and what the other sources say."""

    history: History | None = None
    remotes: list[Remote] = field(default_factory=list)
    postings: list[Entry] = field(default_factory=list)
    is_settled: bool = False
    """Ended, and nothing of it changed since the first source was read: what does not agree now never will."""

    @property
    def remote(self) -> Remote | None:
        """The API's invoice that our record names."""
        if self.row is None or self.row.external_id is None:
            return None
        return next((one for one in self.remotes if one.raw["id"] == self.row.external_id), None)

    @property
    def abandoned(self) -> EntryRow | None:
        """The timeline's line of a person who closed an approved invoice without billing it."""
        return next((entry for entry in self.entries if entry.kind == "abandoned"), None)


def shown(value: Any) -> str:
    """A value inside a sentence of evidence."""
    return "nothing" if value in (None, "", []) else str(value)
