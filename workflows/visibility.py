"""What an operator sees in the Temporal UI: search attributes, summaries, and in words what an invoice waits for."""

from datetime import UTC, datetime, time
from typing import Any, Final

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from billing.decisions import EXAMPLES, Action
from billing.intent import Intent
from billing.record import InvoiceRecord, Status
from billing.untrusted import in_markdown

STATUS: Final = SearchAttributeKey.for_keyword("BillhookStatus")
CUSTOMER: Final = SearchAttributeKey.for_keyword("BillhookCustomer")
MOTION: Final = SearchAttributeKey.for_keyword("BillhookMotion")
TOTAL_MINOR: Final = SearchAttributeKey.for_int("BillhookTotalMinor")
CURRENCY: Final = SearchAttributeKey.for_keyword("BillhookCurrency")
DUE_AT: Final = SearchAttributeKey.for_datetime("BillhookDueAt")
FAILED_STEP: Final = SearchAttributeKey.for_keyword("BillhookFailedStep")
ALL: Final[tuple[SearchAttributeKey[Any], ...]] = (STATUS, CUSTOMER, MOTION, TOTAL_MINOR, CURRENCY, DUE_AT, FAILED_STEP)
"""What a server must know before an invoice can start there."""

LASTING: Final = frozenset(Status) - {Status.DRAFTING, Status.ISSUING, Status.APPROVED}
"""States that an invoice rests in. The others last for one step and are not worth a billed upsert of their own."""

_LONGEST_REFUSAL: Final = 2_000


def at_start(intent: Intent) -> TypedSearchAttributes:
    """All attributes that are known before the first step; at start they cost nothing."""
    total = intent.commercial.total
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(STATUS, Status.DRAFTING.value),
        SearchAttributePair(CUSTOMER, intent.customer_id),
        SearchAttributePair(MOTION, intent.motion.value),
        SearchAttributePair(TOTAL_MINOR, total.minor),
        SearchAttributePair(CURRENCY, total.currency),
    ]
    return TypedSearchAttributes(pairs)


def updates(record: InvoiceRecord) -> list[SearchAttributeUpdate[Any]]:
    """One batch for a state change: a single billed action."""
    found: list[SearchAttributeUpdate[Any]] = [
        STATUS.value_set(record.status.value),
        TOTAL_MINOR.value_set(record.total_minor),
        FAILED_STEP.value_set(record.failed_step) if record.failed_step else FAILED_STEP.value_unset(),
    ]
    if record.due_date:
        found.append(DUE_AT.value_set(datetime.combine(record.due_date, time(), UTC)))
    return found


def summary(intent: Intent) -> str:
    """One line for the list of workflows. No personal data."""
    return f"{intent.motion.value}: {intent.commercial.total} from {intent.customer_id}"


def details(intent: Intent) -> str:
    """What stands from the start, as Markdown."""
    lines = "\n".join(f"- {_plain(line.description)}" for line in intent.commercial.lines[:10])
    return (
        f"**{intent.commercial.total}** for customer `{intent.customer_id}`, source `{intent.source.scope}`\n\n{lines}"
    )


def current_details(record: InvoiceRecord, refusal: str = "") -> str:
    """What it is, what it waits for and why, what was refused last, and what a person can do from here."""
    words = [f"**{record.status.value}** V{record.version}, revision `{record.revision}`"]
    if record.waiting_for:
        words.append(record.waiting_for)
    if refusal:
        words.append(f"Refused last: {in_markdown(refusal, _LONGEST_REFUSAL)}")
    words += [
        f"Case {in_markdown(case.id)}: owner {in_markdown(case.owner)}, until {case.deadline:%Y-%m-%d %H:%M} UTC."
        for case in record.cases
        if case.status == "open"
    ]
    if record.available_actions:
        signals = "\n".join(f"- `{name}` with `{EXAMPLES[Action(name)]}`" for name in record.available_actions)
        words.append(f"To act from here, send a signal:\n\n{signals}")
    if record.link:
        words.append(f"Recipient's page: {record.link}")
    return "\n\n".join(words)


def _plain(text: str) -> str:
    """Outside text inside Markdown: nothing in it may act as markup."""
    return "".join(character if character.isalnum() or character in " .,:;/+%()" else " " for character in text)[:200]
