"""What Temporal remembers of an invoice: the steps that were taken, the signals that came, how it ended.

A history is independent of our records and in the engine's own order and clock, which is why the audit asks it. Only
what the invariants need is kept of it. After the namespace's retention there is none, and then our records stand alone.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from activities import signatures
from connectors.payloads import UnknownPayloadKey, is_sealed, key_id
from workflows.invoice import InvoiceWorkflow
from workflows.late import LateEventWorkflow

SIDE_BY_SIDE: Final = 16
# Enough to hide the engine's latency, few enough that the embedded one is not flooded.
_WORKFLOW: Final = InvoiceWorkflow.__name__
_LATE: Final = LateEventWorkflow.__name__
_KEPT: Final = frozenset(
    {signatures.CREATE_DRAFT.name, signatures.ISSUE.name, signatures.REVISE.name, signatures.SEND_MAIL.name}
)
_CLOSED: Final = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "failed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "canceled",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed out",
}
Place = tuple[int, int]
"""(run in the chain, event in the run): the engine's own order."""


@dataclass
class Step:
    """One activity. `decided` is the end of the workflow task that asked for it: what came before it was known."""

    name: str
    at: datetime
    decided: Place
    request: dict[str, Any]
    attempts: int = 0
    answer: dict[str, Any] | None = None

    @property
    def is_done(self) -> bool:
        return self.answer is not None


@dataclass
class History:
    """The whole chain of runs of one key. `closed_as` is None while it runs; `result` is the last record it told."""

    run_ids: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    signals: list[tuple[Place, dict[str, Any]]] = field(default_factory=list)
    closed_as: str | None = None
    result: dict[str, Any] | None = None

    def of(self, *names: signatures.Signature[Any, Any]) -> list[Step]:
        wanted = {one.name for one in names}
        return [step for step in self.steps if step.name in wanted]


async def chains(client: Client) -> dict[str, set[str]] | None:
    """Per key the first run of every chain that ever ran under it, or a later one where the server lists no first;
    None where it lists nothing."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    listed = await _listed(client, f'WorkflowType = "{_WORKFLOW}"')
    for one in listed or ():
        found[one.id].add(one.raw_info.first_run_id or one.run_id)
    return None if listed is None else dict(found)


async def late_running(client: Client) -> set[str]:
    """The events that came after an invoice's end and are being synced this moment."""
    query = f'WorkflowType = "{_LATE}" AND ExecutionStatus = "Running"'
    return {one.id.rpartition(":late:")[2] for one in await _listed(client, query) or ()}


async def _listed(client: Client, query: str) -> list[WorkflowExecution] | None:
    """None where the server does not list, as the time-skipping one does not."""
    try:
        return [one async for one in client.list_workflows(query, page_size=1000)]
    except RPCError as error:
        if error.status in {RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT}:
            return None
        raise


async def read_histories(client: Client, keys: Iterable[str]) -> dict[str, History | None]:
    """By key; None where Temporal holds none (any more). Raises RPCError where it cannot be asked."""
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(key: str) -> tuple[str, History | None]:
        async with slots:
            return key, await _read(client, key)

    return dict(await asyncio.gather(*(one(key) for key in keys)))


async def _read(client: Client, key: str) -> History | None:
    """The latest run and, back from it, those that continued as it."""
    runs: list[list[HistoryEvent]] = []
    run_ids: list[str] = []
    run_id: str | None = None
    while True:
        try:
            fetched = await client.get_workflow_handle(key, run_id=run_id).fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                # A run before this one may have gone with its retention; the rest still says what it says.
                break
            raise
        runs.insert(0, [await _opened(client, event) for event in fetched.events])
        run_ids.append(fetched.run_id)
        started = runs[0][0].workflow_execution_started_event_attributes
        run_id = started.continued_execution_run_id
        if not run_id:
            break
    return _chain(runs, run_ids) if runs else None


async def _opened(client: Client, event: HistoryEvent) -> HistoryEvent:
    """The event with the payloads that are read below as they were before they were sealed.

    Raises UnknownPayloadKey, UnreadablePayload: a history that cannot be read must not look like one that is empty.
    """
    codec = client.data_converter.payload_codec
    for payloads in _read_of(event):
        if codec is not None:
            await codec.decode_wrapper(payloads)
        sealed = [one for one in payloads.payloads if is_sealed(one)]
        if sealed:
            raise UnknownPayloadKey(key_id(sealed[0]))
    return event


def _read_of(event: HistoryEvent) -> tuple[Payloads, ...]:
    match event.event_type:
        case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            return (event.activity_task_scheduled_event_attributes.input,)
        case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            return (event.activity_task_completed_event_attributes.result,)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            return (event.workflow_execution_signaled_event_attributes.input,)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            return (event.workflow_execution_completed_event_attributes.result,)
        case _:
            return ()


def _chain(runs: list[list[HistoryEvent]], run_ids: list[str]) -> History:
    found = History()
    for index, events in enumerate(runs):
        _Reading(found, index).read(events)
    started = runs[0][0].workflow_execution_started_event_attributes
    # The first by its name too: it may have gone with its retention before those that continued as it.
    found.run_ids = {*run_ids, started.first_execution_run_id}
    return found


class _Reading:
    """One run, event by event, into the chain's history."""

    def __init__(self, into: History, run: int) -> None:
        self._into, self._run = into, run
        self._open: dict[int, Step] = {}

    def read(self, events: list[HistoryEvent]) -> None:
        for event in events:
            kind = event.event_type
            if kind == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                self._scheduled(event)
            elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                started = event.activity_task_started_event_attributes
                self._step(started.scheduled_event_id).attempts = started.attempt
            elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                done = event.activity_task_completed_event_attributes
                self._step(done.scheduled_event_id).answer = _first(done.result)
            elif kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signal = event.workflow_execution_signaled_event_attributes
                self._into.signals.append(((self._run, event.event_id), _first(signal.input)))
            elif kind in _CLOSED:
                self._closed(event)

    def _scheduled(self, event: HistoryEvent) -> None:
        asked = event.activity_task_scheduled_event_attributes
        step = Step(
            name=asked.activity_type.name,
            at=event.event_time.ToDatetime(UTC),
            decided=(self._run, asked.workflow_task_completed_event_id),
            request={},
        )
        self._open[event.event_id] = step
        if step.name in _KEPT:
            step.request = {name: value for name, value in _first(asked.input).items() if name != "record"}
            self._into.steps.append(step)

    def _step(self, scheduled: int) -> Step:
        return self._open[scheduled]

    def _closed(self, event: HistoryEvent) -> None:
        self._into.closed_as = _CLOSED[event.event_type]
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            self._into.result = _first(event.workflow_execution_completed_event_attributes.result)


def _first(payloads: Payloads) -> dict[str, Any]:
    """The first payload as JSON; empty where it is none."""
    try:
        found = json.loads(payloads.payloads[0].data) if payloads.payloads else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
