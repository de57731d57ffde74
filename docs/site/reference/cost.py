"""What an invoice costs in Temporal's billed actions, counted from histories that the tests replay."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from bench.budget import billed_actions
from docs.site.markdown import table
from tests.histories import history

_PATHS: Final[Mapping[str, str]] = {
    "automatic": "a milestone: sent, viewed, amended, approved, billed",
    "billed_by_a_run": "a month's usage invoice, sent by the run",
    "approved_by_api": "a person approves it first",
    "approved_by_two": "two people approve it first",
    "change_accepted": "the recipient asks for a change, which makes version 2",
    "parked_and_retried": "a step is refused for good, and taken again",
    "followed_up": 'not viewed: one "did you get it" mail',
}
_DETAILED: Final = "automatic"
_USD_A_MILLION: Final = 50
# An example of a price; a contract has its own.
_NAMES: Final = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "upsert of search attributes",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "continue as new",
}


def recorded(name: str) -> WorkflowHistory:
    return history.read(history.FOLDER / f"{name}.json")


def table_of_actions() -> str:
    rows = []
    for name, words in _PATHS.items():
        found = recorded(name)
        actions = billed_actions(found)
        rows.append((words, actions, len(found.events), _usd(actions)))
    return table(("the invoice", "billed actions", "events of history", f"USD at {_USD_A_MILLION} a million"), rows)


def _usd(actions: int) -> str:
    return f"{actions * _USD_A_MILLION / 1_000_000:.5f}"


def detail() -> str:
    """Every action of one invoice by kind; they sum to what the table above says of it."""
    counted = kinds(recorded(_DETAILED))
    rows = [*counted.items(), ("**together**", sum(counted.values()))]
    return table(("kind", "actions"), rows)


def arithmetic() -> str:
    """What a million of them come to."""
    milestone, usage = (billed_actions(recorded(name)) for name in (_DETAILED, "billed_by_a_run"))
    dollars = (milestone + usage) * _USD_A_MILLION
    return (
        f"So a million milestone invoices a month are about {milestone} million actions, and a million usage invoices "
        f"of monthly runs about {usage} million: {milestone} + {usage} million at {_USD_A_MILLION} USD a million are "
        f"{dollars:,} USD.\n"
    )


def kinds(found: WorkflowHistory) -> Counter[str]:
    counted: Counter[str] = Counter()
    for event in found.events:
        if event.event_type in _NAMES:
            counted[_NAMES[event.event_type]] += 1
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            counted["activity at an outside system, each try"] += (
                event.activity_task_started_event_attributes.attempt or 1
            )
    local = billed_actions(found) - sum(counted.values())
    if local:
        counted["workflow task with our own short writes"] += local
    return counted
