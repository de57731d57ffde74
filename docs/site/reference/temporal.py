"""What Temporal shows of Billhook: workflows with their signals, updates and queries, attributes, queues, schedules."""

from typing import Any

from temporalio import workflow

from billing.queues import Queue, name
from docs.site.markdown import code, page, prose, table
from starter.embedded.stack import SEARCH_ATTRIBUTES
from worker import WORKFLOWS

_MEANS = {
    "BillhookStatus": "the state; those that last for one step are not told",
    "BillhookCustomer": "the customer's id",
    "BillhookMotion": "the way of billing",
    "BillhookTotalMinor": "the present total, in minor units",
    "BillhookCurrency": "ISO 4217",
    "BillhookDueAt": "when the invoice is due",
    "BillhookFailedStep": "the step that was refused for good, while it waits for a person",
}


def text() -> str:
    about = "the workflow classes, `workflows/visibility.py` and `billing/queues.py`"
    return page("In Temporal", about, _attributes(), _queues(), *(_workflow(one) for one in WORKFLOWS))


def definition(one: type[Any]) -> Any:
    """What the SDK knows of a workflow class; it keeps it behind an underscore, and the tests would say if it moved."""
    return workflow._Definition.must_from_class(one)  # noqa: SLF001


def _attributes() -> str:
    rows = [(code(key), kind, _MEANS.get(key, "")) for key, kind in SEARCH_ATTRIBUTES.items()]
    return "## Search attributes\n\n" + table(("name", "type", "means"), rows)


def _queues() -> str:
    rows = [(code(name("billhook", one)), code(one.value)) for one in Queue]
    head = (
        "## Task queues\n\nWith `BILLHOOK_TASK_QUEUE` left as it is; `billhook worker --queue` takes the second name."
    )
    return f"{head}\n\n{table(('queue', '--queue'), rows)}"


def _workflow(one: type[Any]) -> str:
    found = definition(one)
    parts = [f"## {found.name}", prose(one.__doc__)]
    for kind in ("signals", "updates", "queries"):
        rows = [
            (code(key), str(told.description or "").replace("<", "\\<"))
            for key, told in sorted(getattr(found, kind).items())
        ]
        if rows:
            parts.append(f"### {kind.title()} of {found.name}\n\n{table(('name', 'does'), rows)}")
    return "\n\n".join(parts)
