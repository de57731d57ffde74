"""How everything on top of Temporal speaks to it: connect, start an invoice, signal it, ask it for a decision.

One place knows the workflow's name, the deduplication of starts and how a refusal travels back, so that HTTP, CLI and
agents give the same answers in the same words.

EngineUnreachable     503  Temporal did not answer; nothing was decided
└── NoAnswerYet       503  the wish may have arrived; the workflow did not answer in time

NotPossible           409  as the workflow said it
└── NotPossibleYet    409  it was not kept either: asked again, it is another wish
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from billing.decisions import Answer, Cancel, Decide, DecideChange, Delegate, Propose, Retry
from billing.errors import BadInput, BillhookError, Conflict, Forbidden, NotFound, NotPossible, StaleRevision
from billing.events import EventType, InvoiceEvent
from billing.intent import Intent, canonical_hash
from connectors.payloads import data_converter
from settings import Settings
from starter.ranking import put_first
from telemetry import tracing
from workflows import starting
from workflows.late import LateStart
from workflows.starting import CALL_TIMEOUT

ClientFactory = Callable[[], Awaitable[Client]]

LATE_WORKFLOW: Final = "LateEventWorkflow"
UPDATE_TIMEOUT: Final = timedelta(seconds=20)
# An update waits for the main loop, which may be inside a step at the invoicing API.
_AWAY: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.PERMISSION_DENIED,
    }
)
# The engine's trouble, not the request's. The last two are our credentials: an operator mends those, no caller can.

SIGNALS: Final[dict[str, str]] = {
    EventType.VIEWED: "viewed",
    EventType.AMENDED: "amended",
    EventType.CHANGE_REQUESTED: "change_requested",
    EventType.APPROVED: "approved",
    EventType.VOIDED: "voided",
    EventType.SENT: "amended",
}
"""Which signal carries which event. The workflow reads the event's own type; a version that was made at the API by
hand (`sent`) has no signal of its own and travels as the nearest one."""


class EngineUnreachable(BillhookError):
    """Temporal did not answer. Nothing of the request was done."""

    status = 503
    slug = "engine-unreachable"

    def __init__(self, cause: str = "") -> None:
        super().__init__(
            f"Temporal does not answer{f': {cause}' if cause else ''}",
            next_step="try again shortly; `billhook doctor` says what is missing",
        )


class NoAnswerYet(EngineUnreachable):
    """The wish reached Temporal, and no worker answered it in time; it may still be carried out."""

    slug = "no-answer-yet"

    def __init__(self, key: str) -> None:
        super().__init__()
        self.args = (f"{key} did not answer in time; what you asked may still be carried out",)
        self.detail = str(self)
        self.next_step = (
            f"read it: GET /invoices/{key}; over HTTP ask again under the same Idempotency-Key, which is safe; see that"
            " a worker runs"
        )


class NotPossibleYet(NotPossible):
    """The workflow let the wish pass by: nothing of it stands in its history."""


class NoSuchWorkflow(NotFound):
    """Temporal holds no running workflow of that key."""

    slug = "no-workflow"

    def __init__(self, key: str) -> None:
        super().__init__(f"no workflow runs for {key}")


_REFUSALS: Final[dict[str, type[BillhookError]]] = {
    kind.slug: kind for kind in (BadInput, StaleRevision, NotPossible, Conflict, Forbidden, NotFound)
}


async def connect(settings: Settings, runtime: Runtime | None = None) -> Client:
    """A connected client, by TEMPORAL_ADDRESS and its kin. Raises EngineUnreachable."""
    options = ClientConfig.load_client_connect_config()
    options.setdefault("target_host", "127.0.0.1:7233")
    try:
        return await Client.connect(
            **options,
            data_converter=data_converter(settings.sealing_keys),
            interceptors=tracing.interceptors(),
            runtime=runtime,
        )
    except RuntimeError as error:
        # What the SDK raises where nothing listens.
        raise EngineUnreachable(_first_line(error)) from error


class Engine:
    """One shared connection that is made when first needed, and made again after it failed.

    The HTTP API has to start and take events while Temporal is away, so a refused connection is an answer, not an end.
    """

    def __init__(self, factory: ClientFactory) -> None:
        self._factory = factory
        self._client: Client | None = None
        self._lock = asyncio.Lock()

    async def client(self) -> Client:
        """Raises EngineUnreachable."""
        if self._client is None:
            async with self._lock:
                self._client = self._client or await self._connected()
        return self._client

    async def _connected(self) -> Client:
        try:
            async with asyncio.timeout(CALL_TIMEOUT.total_seconds()):
                return await self._factory()
        except (RPCError, RuntimeError, OSError, TimeoutError) as error:
            raise EngineUnreachable(_first_line(error)) from error

    async def check(self) -> None:
        """Raises EngineUnreachable unless Temporal answers now."""
        client = await self.client()
        try:
            serving = await client.service_client.check_health(timeout=timedelta(seconds=2))
        except RPCError as error:
            raise EngineUnreachable(error.message) from error
        if not serving:
            raise EngineUnreachable("it says that it is not serving")


async def start_invoice(client: Client, intent: Intent, task_queue: str, *, of_run: bool = False) -> bool:
    """Start the intent's workflow. True if this call started it, False if its key already has one, open or closed.

    `task_queue` is the setting. An invoice of a monthly run (`of_run`, or usage that nobody triggered) goes to the
    queue of runs at the rank of bulk, everything else to the main one: see workflows/starting.py, which whoever
    stands below this floor calls directly. Raises EngineUnreachable.
    """
    try:
        return await starting.start_invoice(client, intent, task_queue, of_run=of_run)
    except RPCError as error:
        raise _translated(error, intent.key) from error


async def signal_event(client: Client, key: str, event: InvoiceEvent) -> None:
    """Hand one event to its workflow. Raises NoSuchWorkflow (also for a closed one), EngineUnreachable, RPCError."""
    try:
        handle = client.get_workflow_handle(key)
        await handle.signal(SIGNALS[event.type], event, rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        raise _translated(error, key) from error


async def start_late(client: Client, event_id: str, late: LateStart, task_queue: str) -> None:
    """Sync what came after an invoice's end. Once at a time per event. Raises EngineUnreachable, RPCError."""
    key = late.state.key
    try:
        await client.start_workflow(
            LATE_WORKFLOW,
            late,
            id=f"{key}:late:{event_id}",
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"late amendment of {key}",
            rpc_timeout=CALL_TIMEOUT,
        )
    except RPCError as error:
        raise _translated(error, key) from error


async def closed_as(client: Client, key: str) -> str | None:
    """How the workflow of `key` ended (`completed`, `terminated` ...), `running`, or None where there is none."""
    try:
        described = await client.get_workflow_handle(key).describe(rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise _translated(error, key) from error
    return (described.status or WorkflowExecutionStatus.RUNNING).name.lower()


async def decide(client: Client, key: str, wish: Decide, once: str | None = None) -> Answer:
    """Approve or reject; the same wish under the same `once` is one wish, and its repeats hear the same answer.

    Raises the workflow's refusal, NoSuchWorkflow, NoAnswerYet, EngineUnreachable.
    """
    return await _ask(client, key, "decide", wish, update_id=_update_id(wish, once))


async def delegate(client: Client, key: str, wish: Delegate, once: str | None = None) -> Answer:
    """Put an open approval to another approver. Raises like `decide`."""
    return await _ask(client, key, "delegate", wish, update_id=_update_id(wish, once))


async def decide_change_request(client: Client, key: str, wish: DecideChange, once: str | None = None) -> Answer:
    """Accept or decline a change request. Raises like `decide`."""
    return await _ask(client, key, "decide_change_request", wish, update_id=_update_id(wish, once))


async def propose(client: Client, key: str, wish: Propose) -> Answer:
    """An agent's wish; the same call twice is one. Raises like `decide`."""
    return await _ask(client, key, "propose", wish, update_id=wish.call_id)


async def cancel(client: Client, key: str, wish: Cancel, once: str | None = None) -> Answer:
    """Discard the draft or void the invoice. Raises like `decide`."""
    return await _ask(client, key, "cancel", wish, update_id=_update_id(wish, once))


async def retry(client: Client, key: str, wish: Retry, once: str | None = None) -> Answer:
    """Resume or abandon a parked invoice. Raises like `decide`."""
    return await _ask(client, key, "retry", wish, update_id=_update_id(wish, once))


def _update_id(wish: BaseModel, once: str | None) -> str | None:
    """One for the same wish of the same person under the same idempotency key; else each call is a wish of its own."""
    return None if once is None else canonical_hash({"once": once, "wish": wish.model_dump(mode="json")})


async def _ask(client: Client, key: str, update: str, wish: BaseModel, *, update_id: str | None = None) -> Answer:
    handle = client.get_workflow_handle(key)
    try:
        # Around both: the SDK gives the acceptance and the outcome this long each.
        async with asyncio.timeout(UPDATE_TIMEOUT.total_seconds()):
            await put_first(client, handle)
            answer: Any = await handle.execute_update(
                update, wish, id=update_id, result_type=Answer, rpc_timeout=UPDATE_TIMEOUT
            )
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise NoAnswerYet(key) from error
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except RPCError as error:
        raise _translated(error, key) from error
    return Answer.model_validate(answer)


def _refusal(error: WorkflowUpdateFailedError) -> BaseException:
    """The refusal as the workflow raised it, or the failure itself where we know no such refusal."""
    cause = error.cause
    kind = _REFUSALS.get(cause.type or "") if isinstance(cause, ApplicationError) else None
    if kind is None or not isinstance(cause, ApplicationError):
        return error
    details = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
    if kind is NotPossible and not details.get("is_heard", True):
        kind = NotPossibleYet
    # Its words were built where it was raised; building them again here would need what only the workflow knows.
    told = kind.__new__(kind)
    BillhookError.__init__(told, cause.message, field=details.get("field", ""), next_step=details.get("next_step", ""))
    if isinstance(told, BadInput):
        told.cause = cause.message.removeprefix(f"{told.field}: ")
    return told


def _translated(error: RPCError, key: str) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return NoSuchWorkflow(key)
    return EngineUnreachable(error.message) if error.status in _AWAY else error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
