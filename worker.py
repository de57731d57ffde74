"""The composition root: joins workflows, activities and connectors; also the main of a worker process.

One process runs a worker per queue (billing/queues.py). Each takes every activity, so that none waits for ever on a
queue that it once stood on; what they differ in is how much they take at once. The numbers keep a run from taking the
processor, the one SQLite file or the API from people's own work: docs/decisions/0020-queues.md.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    PollerBehaviorAutoscaling,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerDeploymentConfig,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.accounting import AccountingActivities
from activities.crm import CrmActivities
from activities.invoicing import InvoicingActivities
from activities.mail import MailActivities
from activities.reconcile import ReconcileActivities
from activities.recording import RecordingInterceptor
from activities.records import RecordActivities
from activities.usage_run import MOST_OPEN, UsageRunActivities
from billing import queues
from billing.ownership import Carry
from billing.policy import Policy
from billing.queues import Queue
from connectors.beancount import BeancountJournal
from connectors.builtin_crm import BuiltinCrm
from connectors.http import build_client
from connectors.hubspot import HubSpot
from connectors.hubspot_crm import HubSpotCrm
from connectors.jupiter import Jupiter
from connectors.ports import Accounting, Crm, Invoicing, Mailer
from connectors.smtp import SmtpMailer
from records.session import Database
from settings import CALLS_AT_ONCE, Settings, load_motions, load_policy
from workflows import starting
from workflows.invoice import InvoiceWorkflow
from workflows.late import LateEventWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.usage_run import UsageRunFiringWorkflow, UsageRunWorkflow

WORKFLOWS: Final = (
    InvoiceWorkflow,
    LateEventWorkflow,
    ReconcileWorkflow,
    UsageRunWorkflow,
    UsageRunFiringWorkflow,
)
# Each has its histories under tests/histories.
GRACE: Final = timedelta(seconds=30)
# What an activity under way gets to finish after SIGTERM: its own longest timeout.
CACHED_WORKFLOWS: Final = 1000
# Workflows idle for weeks: caching all of them is mostly waste, a replay costs milliseconds.
RUN_CACHED: Final = 500
# A run's invoices come by once a step and then rest; held are those between two steps.
RUN_TASKS: Final = 2
# Workflow code is bound by the interpreter's lock, which a person's task shares with these. The least that is possible:
# one place to wait for workflows that are held, one for those that are not.
RUN_ACTIVITIES: Final = 20
# The pages of all groups that are billed in the same hour, which mostly wait for room; and beside them the journal.
BUILD_ID: Final = f"billhook-{version('billhook')}"
# Stands in every history. The SDK's own is a hash over all loaded code, which costs a start 3 s of CPU.
BEAT_S: Final = 5.0
# How often a worker with a health file gives a sign of life.
AT_ONCE: Final[Mapping[Queue, dict[str, Any]]] = {
    Queue.MAIN: {"max_cached_workflows": CACHED_WORKFLOWS},
    # The SDK's own 100 of each kind: what people and events bring comes singly.
    Queue.RUNS: {
        "max_cached_workflows": RUN_CACHED,
        "max_concurrent_workflow_tasks": RUN_TASKS,
        "max_concurrent_local_activities": RUN_TASKS,
        "max_concurrent_activities": RUN_ACTIVITIES,
    },
}
"""What the workers for workflows take at once; those for an outside system take `Parts.calls_at_once`."""


@dataclass(frozen=True)
class Parts:
    """Everything a worker talks to. Tests give the same parts with other addresses behind them."""

    database: Database
    invoicing: Invoicing
    mailer: Mailer
    crm: Crm
    accounting: Accounting
    policy: Policy
    carry: Carry = Carry.CUSTOMER
    send_by_api: bool = False
    public_url: str = ""
    run_most_open: int = MOST_OPEN
    rates: Mapping[Queue, float] = field(default_factory=dict)
    # steps per second, over the workers of all processes, where an outside system's queue has a limit
    calls_at_once: int = CALLS_AT_ONCE
    version: str = ""
    # of what the workers run, where Temporal routes by it: docs/upgrading.md

    def activities(self) -> list[Callable[..., Any]]:
        records = RecordActivities(self.database, self.policy)
        invoicing = InvoicingActivities(self.invoicing, self.database, carry=self.carry, send_by_api=self.send_by_api)
        mail = MailActivities(self.mailer, self.database, send_by_api=self.send_by_api, public_url=self.public_url)
        crm = CrmActivities(self.crm, self.database)
        accounting = AccountingActivities(self.accounting, self.database)
        reconcile = ReconcileActivities(self.invoicing, self.database)
        return [
            records.save_record,
            records.state_late,
            records.assess,
            records.authorize,
            records.put_to,
            invoicing.create_draft,
            invoicing.patch_draft,
            invoicing.issue,
            invoicing.revise,
            invoicing.decline_change,
            invoicing.read_locked,
            invoicing.withdraw,
            mail.send_mail,
            crm.sync_fields,
            crm.mark_billed,
            accounting.post_invoice,
            reconcile.page,
            reconcile.look,
            reconcile.unseen,
        ]

    def run_activities(self, client: Client, task_queue: str) -> list[Callable[..., Any]]:
        """Those of monthly runs, which start workflows through `client`; `task_queue` is the setting."""
        start = partial(starting.start_invoice, client, base=task_queue, of_run=True)
        return [UsageRunActivities(self.database, start, self.run_most_open).page]


def sandboxed() -> SandboxedWorkflowRunner:
    """The SDK's sandbox around workflow code. It finds what is not deterministic and costs as much as all of our own
    work, so every test runs in it and production does without; see docs/decisions/0005-sandbox-in-tests.md."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "billing", "activities", "telemetry", "pydantic", "pydantic_core", "iso4217"
        )
    )


class Workers:
    """The workers of one process: `async with` starts all; leaving it stops all at once, each within its grace.

    When one of them fails, the task that entered is cancelled and the failure comes out of the block.
    """

    def __init__(self, workers: Iterable[Worker]) -> None:
        self._workers = list(workers)

    async def __aenter__(self) -> Self:
        for one in self._workers:
            await one.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ends = await asyncio.gather(
            *(one.__aexit__(kind, error, trace) for one in self._workers), return_exceptions=True
        )
        for end in ends:
            if end is not None:
                raise end


def build_worker(
    client: Client, parts: Parts, task_queue: str, only: Iterable[Queue] = tuple(Queue), **options: Any
) -> Workers:
    """The workers of a process. `task_queue` is the setting, `only` the queues to work on, where not on all of them.
    `options` override the SDK's on every worker, for tests."""
    activities = [*parts.activities(), *parts.run_activities(client, task_queue)]
    interceptors = [RecordingInterceptor(parts.database)]
    given = {"activities": activities, "interceptors": interceptors, **options}
    return Workers(_worker(client, task_queue, queue, parts, given) for queue in only)


def _worker(client: Client, base: str, queue: Queue, parts: Parts, given: dict[str, Any]) -> Worker:
    rate = parts.rates.get(queue)
    defaults: dict[str, Any] = {
        "workflows": list(WORKFLOWS) if queue in queues.WORKFLOWS else [],
        "workflow_runner": UnsandboxedWorkflowRunner(),
        **_versioned(base, parts.version),
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        "max_task_queue_activities_per_second": rate,
        # An activity that is handed out with a workflow task passes the server's limit by.
        "disable_eager_activity_execution": rate is not None,
        "graceful_shutdown_timeout": GRACE,
        **AT_ONCE.get(queue, {"max_concurrent_activities": parts.calls_at_once}),
    }
    return Worker(client, task_queue=queues.name(base, queue), **(defaults | given))


def _versioned(base: str, version: str) -> dict[str, Any]:
    """A workflow ends on the version that it began on, unless it moves by itself where it rests (workflows/rest.py)."""
    if not version:
        return {"build_id": BUILD_ID}
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name=base, build_id=version),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
    }


@asynccontextmanager
async def parts_of(settings: Settings) -> AsyncIterator[Parts]:
    """The parts that the settings name, closed again at the end."""
    database = Database(settings.database, settings.pool)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        http: httpx.AsyncClient = await stack.enter_async_context(build_client(settings.outbound_urls))
        yield Parts(
            database=database,
            invoicing=Jupiter(http, settings.jupiter_url, settings.jupiter_api_key, wire=settings.jupiter_wire),
            mailer=SmtpMailer(settings.smtp_url, settings.mail_from),
            crm=_crm(settings, http, database),
            accounting=BeancountJournal(settings.ledger),
            policy=load_policy(settings),
            carry=Carry(settings.carry_po),
            send_by_api=settings.delivery == "api",
            public_url=settings.public_url,
            run_most_open=settings.run_most_open,
            rates=settings.rates,
            calls_at_once=settings.calls_at_once,
            version=settings.worker_version,
        )


def _crm(settings: Settings, http: httpx.AsyncClient, database: Database) -> Crm:
    if settings.crm == "builtin":
        return BuiltinCrm(database)
    hubspot = HubSpot(http, settings.hubspot_url, settings.hubspot_token)
    return HubSpotCrm(hubspot, load_motions(settings).hubspot, database)


async def run_worker(
    settings: Settings, client: Client, only: Iterable[Queue] = tuple(Queue), health_file: Path | None = None
) -> None:
    """Runs until SIGTERM or SIGINT, then lets what is under way finish. `only`: the queues to work on.

    `health_file` is touched every `BEAT_S` while it works. Raises OSError where it cannot be.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with parts_of(settings) as parts, build_worker(client, parts, settings.task_queue, only):
        await _working(stop, health_file)


async def _working(stop: asyncio.Event, health_file: Path | None) -> None:
    while health_file is not None and not stop.is_set():
        await asyncio.to_thread(health_file.touch)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), BEAT_S)
    await stop.wait()
