"""The whole state of a world as text, so that two worlds can be compared byte for byte.

Every table and every column is in it that is not left out here by name, with the reason: what somebody adds to the
schema tomorrow is compared from its first day.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import SQLModel
from temporalio.client import WorkflowExecutionStatus

from connectors.beancount_text import BEGIN, HEADER
from tests.stack import Stack

TABLES_LEFT_OUT: Final = {
    "tokens": "made anew by whoever opens the world",
    "dispatch_claims": "who has which events in hand at this moment",
}
COLUMNS_LEFT_OUT: Final = {
    ("invoices", "sequence"): "counts how often the workflow told us, not what",
    ("invoices", "updated_at"): "when we wrote it down",
    ("cases", "sequence"): "the sequence of the record that told it",
    ("events", "received_at"): "when it reached us",
    ("events", "attempts"): "how often the dispatcher tried",
    ("events", "next_attempt_at"): "when the dispatcher would try again",
    ("events", "stated_by"): "the sequence of the record that told its fate",
    ("entries", "position"): "the timeline keeps the order of arrival",
    ("crm_fields", "step_key"): "names the batch of events that one step brought",
    ("deals", "billed_at"): "when we wrote it down",
    ("calls", "at"): "when it was answered",
    ("calls", "replayed"): "whether an earlier try had been answered already",
    ("calls", "position"): "follows the order of arrival, as the timeline does",
}
CALLS_BY_TRY: Final = {
    "sync_fields": "how many amendments arrive together is chance",
    "revise": "looks first; a repeat finds the version and makes none",
    "withdraw": "looks first; a repeat finds the draft gone or the invoice voided",
    "send_mail": "a repeat finds the mail sent",
}
# Steps whose calls depend on which of several tries was answered, though all leave the same behind.
ENTRIES_BY_ARRIVAL: Final = {
    "late": "only what came after the end has it",
    "amended": "says which fields one step brought; how many arrive together is chance",
}
_EVENT_TIMED: Final = "event"
# The one kind of entry that bears the event's own time; the others say when the workflow got to it.


async def exported(stack: Stack, keys: Iterable[str]) -> str:
    """One line of JSON per row, posting, workflow and invoice of the API's, sorted."""
    lines = [*await _tables(stack), *await _workflows(stack, keys), *await _truth(stack)]
    lines += _journal(stack.settings.ledger)
    lines += [_line("mail", {"id": mail["Message-ID"], "to": mail["To"]}) for mail in stack.mailbox.mails]
    return "\n".join(sorted(lines)) + "\n"


async def _tables(stack: Stack) -> list[str]:
    lines: list[str] = []
    async with stack.database.session() as session:
        for name, table in sorted(SQLModel.metadata.tables.items()):
            if name in TABLES_LEFT_OUT:
                continue
            columns = [column for column in table.columns if (name, column.name) not in COLUMNS_LEFT_OUT]
            rows = [dict(row) for row in (await session.execute(select(*columns))).mappings()]
            lines += [_line(name, row) for row in _COMPARED.get(name, list)(rows)]
    return lines


def _entries(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        row if row["kind"] == _EVENT_TIMED else {name: value for name, value in row.items() if name != "at"}
        for row in rows
        if row["kind"] not in ENTRIES_BY_ARRIVAL
    ]


def _calls(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["step"] not in CALLS_BY_TRY]


_COMPARED: Final = {"entries": _entries, "calls": _calls}


async def _workflows(stack: Stack, keys: Iterable[str]) -> list[str]:
    lines = []
    for key in keys:
        described = await stack.client.get_workflow_handle(key).describe()
        status = described.status or WorkflowExecutionStatus.RUNNING
        lines.append(_line("workflow", {"key": key, "status": status.name}))
    return lines


async def _truth(stack: Stack) -> list[str]:
    """The sandbox's own state: neither delivery may have changed anything there."""
    truth = await stack.truth()
    events = [{name: value for name, value in one.items() if name != "deliveries"} for one in truth["events"]]
    invoices = [_line("api invoice", one) for one in truth["invoices"]]
    return [*invoices, *(_line("api event", one) for one in events), _line("api numbers", truth["numbers"])]


def _journal(path: Path) -> list[str]:
    """One line per posting, and one per directive: which came first and brought header and directives is chance."""
    text = path.read_text().replace(HEADER, "") if path.exists() else ""
    blocks = [block for block in text.split("\n\n") if block.strip().startswith(BEGIN)]
    opened = set(re.findall(r"^1970-01-01 .+$", text, re.MULTILINE))
    bare = [re.sub(r"^1970-01-01 .+\n", "", block, flags=re.MULTILINE).strip() for block in blocks]
    return [*(_line("posting", {"text": block}) for block in bare), *(_line("opened", {"text": one}) for one in opened)]


def _line(kind: str, row: dict[str, Any]) -> str:
    return json.dumps([kind, row], sort_keys=True, ensure_ascii=False, default=_text)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
