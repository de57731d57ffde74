"""How everything on top of Temporal speaks to it: connect, start an invoice, signal it. What people ask of one has its
own place, starter/asking.py.

EngineUnreachable     503  Temporal did not answer; nothing was decided
NoSuchWorkflow        404  none runs under that key
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from billing.errors import BillhookError, NotFound
from billing.events import EventType, InvoiceEvent
from billing.intent import Intent
from connectors.payloads import data_converter
from settings import Settings
from telemetry import tracing
from workflows import starting
from workflows.late import LateStart
from workflows.starting import CALL_TIMEOUT

ClientFactory = Callable[[], Awaitable[Client]]

LATE_WORKFLOW: Final = "LateEventWorkflow"
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


class NoSuchWorkflow(NotFound):
    """Temporal holds no running workflow of that key."""

    slug = "no-workflow"

    def __init__(self, key: str) -> None:
        super().__init__(f"no workflow runs for {key}")


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
        raise translated(error, intent.key) from error


async def signal_event(client: Client, key: str, event: InvoiceEvent) -> None:
    """Hand one event to its workflow. Raises NoSuchWorkflow (also for a closed one), EngineUnreachable, RPCError."""
    try:
        handle = client.get_workflow_handle(key)
        await handle.signal(SIGNALS[event.type], event, rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        raise translated(error, key) from error


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
        raise translated(error, key) from error


async def closed_as(client: Client, key: str) -> str | None:
    """How the workflow of `key` ended (`completed`, `terminated` ...), `running`, or None where there is none."""
    try:
        described = await client.get_workflow_handle(key).describe(rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise translated(error, key) from error
    return (described.status or WorkflowExecutionStatus.RUNNING).name.lower()


def translated(error: RPCError, key: str) -> Exception:
    """What a call about `key` is to raise instead."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return NoSuchWorkflow(key)
    return EngineUnreachable(error.message) if error.status in _AWAY else error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
