"""One invoice as a terminal shows it: each line a name and what is known under it. Outside text is shown as text."""

from collections.abc import Iterator
from typing import Any, Final

from starter.cli.output import printable

_HEAD: Final = (
    "key", "motion", "customer_id", "customer_name", "status", "waiting_for", "total", "currency", "version",
    "revision", "external_id", "link", "due_date", "failed_step",
)  # fmt: skip


_WIDTH: Final = len("billing_entity")
# The longest name.


def shown(invoice: dict[str, Any]) -> Iterator[str]:
    """Line by line: what it is, what it says, what a person can do, what happened."""
    for name, text in (*_head(invoice), *_content(invoice), *_people(invoice)):
        yield f"{name:{_WIDTH}} {printable(text)}"
    for entry in invoice.get("timeline") or []:
        yield f"{entry['at']}  {printable(entry['actor'])}: {printable(entry['text'])}"


def _head(invoice: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _HEAD:
        yield name, "-" if invoice.get(name) is None else str(invoice[name])
    for name, value in (invoice.get("recipient") or {}).items():
        if value is not None:
            yield name, ", ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def _content(invoice: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is billed now, and every version there was."""
    content = invoice.get("content") or {}
    for line in content.get("lines", []):
        yield "line", f"{line['quantity']} x {line['unit_price']} = {line['amount']}: {line['description']}"
    if discount := content.get("discount"):
        yield "discount", f"{discount['value']} ({discount['type']}), {discount['off']} off {content['subtotal']}"
    if content:
        yield "terms", content["payment_terms"]
    for one in invoice.get("versions") or []:
        issued = f"issued {one['issued_at']}" if one["issued_at"] else "not issued"
        made = f"made {one['made_at']} by {one['made_by'] or 'the trigger'}"
        yield f"V{one['version']}", f"{one['total']}, revision {one['revision']}, {made}, {issued}"


def _people(invoice: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Why a person must look, whose it is and until when, and what can be done."""
    for reason in (invoice.get("assessment") or {}).get("reasons", []):
        yield "reason", f"{reason['text']} ({reason['rule']})"
    if invoice.get("assignee"):
        yield "assignee", invoice["assignee"]
    if invoice.get("decide_by"):
        yield "decide by", invoice["decide_by"]
    if invoice.get("approved_by"):
        yield "approved by", ", ".join(invoice["approved_by"])
    for case in invoice.get("cases") or []:
        yield "case", f"{case['id']} {case['status']}, {case['owner']} until {case['deadline']}: {case['message']}"
    yield "possible now", ", ".join(invoice.get("available_actions") or []) or "nothing"
