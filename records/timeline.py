"""An invoice's timeline in plain language: what the workflow told, what was mailed, what was asked of outside systems.

Each of the three has rows of its own, and what has a row is told by nobody else. Lines are sorted by time; of lines
with one time the trigger comes first, then the workflow's in their order, then mails, then calls, so that two readings
of the same rows never differ.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import BaseModel
from sqlalchemy import RowMapping

from billing.intent import Intent
from billing.untrusted import ShownLine, ShownText

US: Final = "billhook"
_SMTP: Final = "smtp"
# A mail has its own line, which says more.
_NAMES: Final = {"jupiter": "the invoicing API", "crm": "the CRM", "accounting": "accounting"}


class EntryView(BaseModel):
    at: datetime
    kind: str
    actor: ShownLine
    text: ShownText


def timeline(
    intent: Intent,
    registered_at: datetime,
    entries: Iterable[RowMapping],
    mails: Iterable[RowMapping],
    calls: Iterable[RowMapping],
) -> list[EntryView]:
    """All lines of one invoice, each kind of row given in its own order."""
    lines = [
        _triggered(intent, registered_at),
        *(EntryView.model_validate(dict(entry)) for entry in entries),
        *(_mailed(mail) for mail in mails),
        *(_called(call) for call in calls if call["system"] != _SMTP),
    ]
    return sorted(lines, key=lambda line: line.at)


def _triggered(intent: Intent, registered_at: datetime) -> EntryView:
    text = f"{intent.motion.value} of {intent.source.scope} to be billed over {intent.commercial.total}"
    return EntryView(at=registered_at, kind="triggered", actor=intent.source.triggered_by or US, text=text)


def _mailed(mail: RowMapping) -> EntryView:
    kind = mail["kind"].partition(":")[0].replace("_", " ")
    text = f"{kind} of V{mail['version']} mailed to {mail['addressee']}"
    return EntryView(at=mail["sent_at"], kind="mail", actor=US, text=text)


def _called(call: RowMapping) -> EntryView:
    asked = f"{call['step'].replace('_', ' ')}: {_NAMES.get(call['system'], call['system'])}"
    again = ", as it had before" if call["replayed"] else ""
    text = f"{asked} answered {call['status']} to {call['method']} {call['path']}{again}"
    return EntryView(at=call["at"], kind="call", actor=US, text=text)
