"""The composition root: joins workflows, activities and connectors; also the main of a worker process."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any, Final

import httpx
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.accounting import AccountingActivities
from activities.crm import CrmActivities
from activities.invoicing import InvoicingActivities
from activities.mail import MailActivities
from activities.reconcile import ReconcileActivities
from activities.recording import RecordingInterceptor
from activities.records import RecordActivities
from billing.ownership import Carry
from billing.policy import Policy
from connectors.beancount import BeancountJournal
from connectors.builtin_crm import BuiltinCrm
from connectors.http import build_client
from connectors.hubspot import HubSpot
from connectors.hubspot_crm import HubSpotCrm
from connectors.jupiter import Jupiter
from connectors.ports import Accounting, Crm, Invoicing, Mailer
from connectors.smtp import SmtpMailer
from records.session import Database
from settings import Settings, load_motions, load_policy
from workflows.invoice import InvoiceWorkflow
from workflows.late import LateEventWorkflow
from workflows.reconcile import ReconcileWorkflow

WORKFLOWS: Final = (InvoiceWorkflow, LateEventWorkflow, ReconcileWorkflow)
# Each has its histories under tests/histories.
GRACE: Final = timedelta(seconds=30)
# What an activity under way gets to finish after SIGTERM: its own longest timeout.
CACHED_WORKFLOWS: Final = 1000
# Workflows idle for weeks: caching all of them is mostly waste, a replay costs milliseconds.
BUILD_ID: Final = f"billhook-{version('billhook')}"
# Stands in every history. The SDK's own is a hash over all loaded code, which costs a start 3 s of CPU.
OUTSIDE_AT_ONCE: Final = 100
# Bounded by what one SQLite file and one API connection pool take.


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


def sandboxed() -> SandboxedWorkflowRunner:
    """The SDK's sandbox around workflow code. It finds what is not deterministic and costs as much as all of our own
    work, so every test runs in it and production does without; see docs/decisions/0005-sandbox-in-tests.md."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "billing", "activities", "pydantic", "pydantic_core", "iso4217", "holidays"
        )
    )


def build_worker(client: Client, parts: Parts, task_queue: str, **options: Any) -> Worker:
    """A worker for workflows and activities on `task_queue`. `options` override the SDK's, for tests."""
    defaults: dict[str, Any] = {
        "workflows": list(WORKFLOWS),
        "activities": parts.activities(),
        "interceptors": [RecordingInterceptor(parts.database)],
        "workflow_runner": UnsandboxedWorkflowRunner(),
        "build_id": BUILD_ID,
        "max_cached_workflows": CACHED_WORKFLOWS,
        "max_concurrent_activities": OUTSIDE_AT_ONCE,
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        "graceful_shutdown_timeout": GRACE,
    }
    return Worker(client, task_queue=task_queue, **(defaults | options))


@asynccontextmanager
async def parts_of(settings: Settings) -> AsyncIterator[Parts]:
    """The parts that the settings name, closed again at the end."""
    database = Database(settings.database)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        http: httpx.AsyncClient = await stack.enter_async_context(build_client())
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
        )


def _crm(settings: Settings, http: httpx.AsyncClient, database: Database) -> Crm:
    if settings.crm == "builtin":
        return BuiltinCrm(database)
    hubspot = HubSpot(http, settings.hubspot_url, settings.hubspot_token)
    return HubSpotCrm(hubspot, load_motions(settings).hubspot, database)


async def run_worker(settings: Settings, client: Client) -> None:
    """Runs until SIGTERM or SIGINT, then lets what is under way finish."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with parts_of(settings) as parts, build_worker(client, parts, settings.task_queue):
        await stop.wait()
