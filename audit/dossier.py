"""An invoice's dossier: all that shows later who decided what on which content, as one file that proves itself whole.

One JSON document, one entry a line, in one canonical spelling. Each entry's hash covers the entry and the hash before
it, the first follows a hash of the format and the key, and the last line repeats the counts and the heads; so no byte
can be changed, added or taken away without `audit/dossier_check.py` finding it, with no database and no network. Who
rewrites the whole chain makes another dossier with another head: keep the head where he cannot write.

What is in it is ours to keep: no invoice number, no PDF, no link to the recipient's page (whoever has it can approve),
no words of an outside system but its answers' status. Pure: the same rows give the same bytes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

from pydantic_core import to_json

from audit.fold import parsed, refold
from billing.intent import canonical_hash
from billing.trail import genesis
from records.papers import Papers
from records.tables import EventRow, InvoiceRow

FORMAT: Final = "billhook-dossier/1"
_STATE: Final = (
    "sequence", "status", "version", "revision", "total_minor", "currency", "external_id", "due_date", "recipient",
    "carried", "assignee", "decide_by", "approved_by", "issued", "failed_step",
)  # fmt: skip
_EVENT: Final = ("id", "source", "type", "invoice_id", "reference", "created_at", "received_at", "fate", "reason")


def build(papers: Papers) -> bytes:
    """The dossier of one invoice as our records hold it now, UTF-8."""
    entries = chain(papers.key, _entries(papers))
    trail_head = papers.trail[-1].hash if papers.trail else genesis(papers.key, papers.registered.payload_hash)
    return rendered(papers.key, entries, trail_head)


def begins(key: str) -> str:
    """The hash that the first entry follows."""
    return canonical_hash({"format": FORMAT, "key": key})


def chain(key: str, entries: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """(kind, body) pairs as entries, each with its place from 1 and the hash of the one before it."""
    prev, chained = begins(key), []
    for place, (kind, body) in enumerate(entries, start=1):
        entry = {"place": place, "kind": kind, "body": _plain(body), "prev": prev}
        prev = canonical_hash(entry)
        chained.append({**entry, "hash": prev})
    return chained


def rendered(key: str, entries: list[dict[str, Any]], trail_head: str) -> bytes:
    """The one spelling of a dossier. Raises UnicodeEncodeError on text that is none."""
    last = entries[-1]["hash"] if entries else begins(key)
    counts = dict(Counter(entry["kind"] for entry in entries))
    opening = json_line({"format": FORMAT, "key": key})[:-1] + ',"entries":['
    closing = "]," + json_line({"counts": counts, "head": last, "trail_head": trail_head})[1:]
    lines = ",\n".join(json_line(entry) for entry in entries)
    return f"{opening}\n{lines}\n{closing}\n".encode()


def json_line(value: Any) -> str:
    """JSON without a choice: sorted keys, no spaces, every character as itself."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _entries(papers: Papers) -> Iterator[tuple[str, Any]]:
    registered = papers.registered
    yield (
        "trigger",
        {
            "payload": json.loads(registered.payload),
            "payload_hash": registered.payload_hash,
            "registered_at": registered.created_at,
        },
    )
    if papers.row:
        yield "state", _only(papers.row, _STATE)
    shelves: dict[str, list[Any]] = {
        "content": papers.contents,
        "assessment": papers.assessments,
        "decision": papers.decisions,
        "trail": papers.trail,
        "case": papers.cases,
        "call": papers.calls,
        "mail": papers.mails,
    }
    for kind, rows in shelves.items():
        yield from ((kind, row.model_dump(exclude={"key"})) for row in rows)
    yield from (("event", _event(row)) for row in papers.events)
    life = refold(papers)
    if life:
        # A set's order is chance.
        yield "fold", {**asdict(life), "status": life.status, "viewed_versions": sorted(life.viewed_versions)}


def _only(row: InvoiceRow | EventRow, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _event(row: EventRow) -> dict[str, Any]:
    """What it says to us; of its raw body, which may hold what is not ours to keep, the hash alone."""
    said = parsed(row)
    return {
        **_only(row, _EVENT),
        "raw_sha256": hashlib.sha256(row.raw).hexdigest(),
        "says": said.data if said else None,
    }


def _plain(body: Any) -> Any:
    """As JSON values. JSON has no infinity and no NaN, and outside bodies may."""
    return json.loads(to_json(body, inf_nan_mode="strings"))
