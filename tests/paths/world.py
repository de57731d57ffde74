"""What the people and machines around one invoice do, said so that it holds while the worker dies under them.

A person who hears nothing looks again and then repeats; nobody here repeats what visibly happened. So the same walk can
be taken on a quiet stack and on one whose worker is killed in the middle.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import select, update
from standardwebhooks.webhooks import Webhook
from temporalio.client import ScheduleHandle, WorkflowExecutionStatus

from billing.groups import BillingGroup, month_before
from billing.plans import SubscriptionBody
from billing.record import Fate, Status
from records.sql import table
from records.subscriptions import put_subscription
from records.tables import Customer, EventRow
from records.tokens import Scope, revoke_token
from starter import schedules
from tests.stack import WEBHOOK_SECRET, Stack, assert_eventually, milestone_body, running_stack
from workflows.reconcile import ReconcileStart, ReconcileWorkflow

APPROVER: Final = "dana"
SECOND: Final = "sam"
NEXT: Final = "robin"
_APPROVERS: Final = (APPROVER, SECOND, NEXT)
POLICY: Final = """
[second_limits]
USD = "100000.00"
[approval]
assignee = "dana"
escalate_to = "robin"
[cases]
owner = "dana"
""" + "".join(f'[[approvers]]\nname = "{name}"\nemail = "{name}@approvers.example"\n' for name in _APPROVERS)
"""Everybody has an address, so that reminders and escalations leave as mails."""

_EVENTS: Final = table(EventRow)
Skip = Callable[[timedelta], Awaitable[None]]
_AGAIN: Final = frozenset({409, 503})
# No answer yet; or the first try, unheard, is being worked on or is done.


def policy_file(folder: Path) -> Path:
    path = folder / "policy.toml"
    path.write_text(POLICY)
    return path


@dataclass
class World:
    """One invoice's surroundings. `skip` jumps over days where the engine can; `run` keeps keys apart on one engine."""

    stack: Stack
    patience_s: float = 30.0
    skip: Skip | None = None
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    keys: list[str] = field(default_factory=list)
    runs: int = 0

    async def bill(self, name: str = "", customer: str = "acme", **changes: Any) -> str:
        """Triggers a milestone for `customer`; the key."""
        await self.stack.customer(customer, **changes.pop("customer_fields", {}))
        body = {"project_id": f"project{name}-{self.run}", "event_id": f"evt{name}-{self.run}", "customer_id": customer}
        key = self.key(name)
        self.keys.append(key)
        assert await self.stack.milestone(**(body | changes)) == key
        return key

    async def bill_nobody(self) -> str:
        """Triggers for a customer whose record was emptied past us, which the API refuses as no recipient; the key."""
        await self.stack.customer()
        async with self.stack.database.transaction() as session:
            await session.execute(update(table(Customer)).values(name="", email=""))
        key = self.key()
        self.keys.append(key)
        assert await self.stack.milestone(project_id=f"project-{self.run}", event_id=f"evt-{self.run}") == key
        return key

    def key(self, name: str = "") -> str:
        """The key that `bill` will make."""
        return f"invoice:project{name}-{self.run}:{milestone_body()['milestone_id']}"

    async def until(self, key: str, *statuses: str) -> dict[str, Any]:
        return await self.stack.until(key, *statuses, patience_s=self.patience_s)

    async def sent(self, key: str, version: int = 1) -> dict[str, Any]:
        """Once this version's link is in the mail."""
        return await self.seen(key, lambda view: f"link of V{version} " in " ".join(_texts(view, "mail")))

    async def seen(self, key: str, true_of: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The invoice once something is true of it."""

        async def look() -> dict[str, Any] | None:
            view = await self.stack.invoice(key)
            return view if true_of(view) else None

        try:
            found: dict[str, Any] = await assert_eventually(look, self.patience_s)
        except AssertionError:
            raise AssertionError(f"{key} never came so far: {await self.stack.invoice(key)}") from None
        return found

    async def leaves(self, who: str) -> None:
        """His token is revoked."""
        async with self.stack.database.transaction() as session:
            assert await revoke_token(session, who)

    async def viewed(self, key: str) -> None:
        await self.stack.recipient(key)
        await self.until(key, "viewed")

    async def amended(self, key: str, **fields: str) -> None:
        _done(await self.stack.recipient(key, "amend", **fields))
        await self.seen(key, lambda view: fields.items() <= view["recipient"].items())

    async def asks_for_change(self, key: str, message: str) -> str:
        """The case's id."""
        _done(await self.stack.recipient(key, "change-request", message=message))
        view = await self.until(key, "change_requested")
        return str(view["cases"][-1]["id"])

    async def approved(self, key: str, version: int = 1) -> None:
        """By the recipient, and billed in consequence."""
        _done(await self.stack.recipient(key, "approve", version=str(version)))
        await self.until(key, "billed")

    async def decides(self, key: str, action: str, *, who: str = APPROVER, **body: Any) -> None:
        view = await self.until(key, "awaiting_approval")
        await self.insists(key, "decision", who=who, action=action, revision=view["revision"], **body)

    async def answers(self, key: str, case: str, action: str, **body: Any) -> None:
        await self.insists(key, f"change-requests/{case}/decision", action=action, **body)

    async def insists(self, key: str, call: str, *, who: str = APPROVER, **body: Any) -> None:
        """A person's wish, repeated under one idempotency key while nothing is heard and nothing is seen of it."""
        before = _seen(await self.stack.invoice(key))
        headers = await self.stack.token(who, Scope.APPROVE, Scope.READ) | {"Idempotency-Key": uuid.uuid4().hex}
        async with asyncio.timeout(self.patience_s):
            while True:
                answer = await self.stack.api.post(f"/invoices/{key}/{call}", json=body, headers=headers)
                if answer.is_success:
                    return
                assert answer.status_code in _AGAIN, answer.text
                if _seen(await self.stack.invoice(key)) != before:
                    return
                await asyncio.sleep(0.2)

    async def signals(self, key: str, name: str, *wish: Any) -> None:
        """From the Temporal UI."""
        await self.stack.client.get_workflow_handle(key).signal(name, args=wish)

    async def cancels_while_away(self, key: str) -> None:
        """Cancels while the API answers nothing but errors, which it stops only once the wish has arrived."""
        cancelling = asyncio.create_task(self.insists(key, "cancel", reason="not ours"))
        handle = self.stack.client.get_workflow_handle(key)

        async def arrived() -> bool:
            history = await handle.fetch_history()
            return any(
                event.HasField("workflow_execution_update_accepted_event_attributes") for event in history.events
            )

        await assert_eventually(arrived, self.patience_s)
        await self.stack.faults()
        await cancelling

    async def cancel_is_refused(self, key: str) -> None:
        headers = await self.stack.token(APPROVER, Scope.APPROVE, Scope.READ)
        answer = await self.stack.api.post(f"/invoices/{key}/cancel", json={"reason": "too late"}, headers=headers)
        assert answer.status_code == 409, answer.text
        await self.seen(key, lambda view: "cannot cancel" in str(view["timeline"]))

    async def reconciles(self) -> None:
        """A run that takes nothing for fresh, through to its report."""
        self.runs += 1
        await self.stack.client.execute_workflow(
            ReconcileWorkflow.run,
            ReconcileStart(grace=timedelta()),
            id=f"reconcile-{self.run}-{self.runs}",
            task_queue=self.stack.settings.task_queue,
        )

    async def fires_run(self) -> str:
        """A billing group's schedule fires; the key of the one invoice that its month comes to."""
        name, now = f"run-{self.run}", datetime.now(UTC)
        group = BillingGroup(name=name, zone="UTC")
        key = f"invoice:{name}:{month_before(group.month_of(now))}"
        self.keys.append(key)
        charge = {"meter": "seats", "model": "flat", "amount": "1250.00"}
        await self.stack.customer()
        async with self.stack.database.transaction() as session:
            body = {"customer_id": "acme", "billing_group": name, "currency": "USD", "started_on": "2020-01-01"}
            await put_subscription(session, name, SubscriptionBody.model_validate(body | {"charges": [charge]}))
        plan = schedules.of_group(self.stack.settings, group)
        schedule = await self.stack.client.create_schedule(plan.id, plan.schedule, trigger_immediately=True)
        try:
            await assert_eventually(lambda: self._is_registered(key), self.patience_s)
            await self.until(key, "sent")
            await assert_eventually(lambda: _rests(schedule), self.patience_s)
        finally:
            await schedule.delete()
        return key

    async def _is_registered(self, key: str) -> bool:
        return (await self.stack.api.get(f"/invoices/{key}")).is_success

    async def hears_late(self, key: str, kind: str) -> None:
        """The webhook of the API's newest event of `kind` comes now, though it was lost at its time."""
        told = [one for one in (await self.stack.truth())["events"] if one["type"] == kind]
        event = {name: value for name, value in told[-1].items() if name != "deliveries"}
        assert event["data"]["reference"] == key
        body, now = json.dumps(event), datetime.now(UTC)
        headers = {
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(WEBHOOK_SECRET).sign(event["id"], now, body),
            "authorization": "",
        }
        _done(await self.stack.api.post("/webhooks/jupiter", content=body, headers=headers))

    async def later(self, **time: float) -> None:
        assert self.skip is not None, "this walk needs an engine that skips time"
        await self.skip(timedelta(**time))

    async def continued(self, key: str) -> None:
        """Once its first run has continued as new."""
        handle = self.stack.client.get_workflow_handle(key)

        async def second() -> bool:
            found = (await handle.describe()).raw_description.workflow_execution_info
            return bool(found.first_run_id and found.first_run_id != found.execution.run_id)

        await assert_eventually(second, self.patience_s)

    async def meddled_with(self, key: str, signal: str) -> None:
        """By somebody who may not, until the history is too long and was left behind."""
        handle = self.stack.client.get_workflow_handle(key)
        first = (await handle.describe()).run_id
        async with asyncio.timeout(self.patience_s):
            while (found := await handle.describe()).run_id == first:
                seen = found.history_length
                await handle.signal(signal, {"actor" if signal == "retry" else "approver": "mallory"})

                async def longer(seen: int = seen) -> bool:
                    now = await handle.describe()
                    return now.run_id != first or now.history_length > seen + 1

                await assert_eventually(longer, self.patience_s)

    async def ended(self, key: str, *statuses: str) -> None:
        """In one of `statuses`, told to our records, and its workflow closed."""
        await self.until(key, *statuses)
        handle = self.stack.client.get_workflow_handle(key)

        async def closed() -> bool:
            return (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED

        await assert_eventually(closed, self.patience_s)

    async def settled(self) -> None:
        """Every webhook that is to come has come, every event has its fate, and what has ended is closed."""
        for key in self.keys:
            status = (await self.stack.invoice(key))["status"]
            if Status(status).is_end:
                await self.ended(key, status)

        async def all_have() -> bool:
            owed = [one["state"] for event in (await self.stack.truth())["events"] for one in event["deliveries"]]
            async with self.stack.database.session() as session:
                fates = set((await session.execute(select(_EVENTS.c.fate).distinct())).scalars())
            return "pending" not in owed and not fates & {Fate.PENDING.value, Fate.DELIVERED.value}

        await assert_eventually(all_have, self.patience_s)

    @asynccontextmanager
    async def refusing_mails(self) -> AsyncIterator[None]:
        """No mailbox takes anything meanwhile."""
        self.stack.mailbox.refusing = True
        try:
            yield
        finally:
            self.stack.mailbox.refusing = False

    async def by_hand(self, key: str, verb: str, action: str = "", **body: Any) -> httpx.Response:
        """Somebody works at the invoicing API itself, past us."""
        truth = (await self.stack.truth())["invoices"]
        invoice = next(found for found in truth if found["reference"] == key)
        path = f"/api/v1/invoices/{invoice['id']}{action}"
        headers = {"Idempotency-Key": f"by-hand-{uuid.uuid4().hex}"}
        return _done(await self.stack.jupiter.request(verb, path, json=body or None, headers=headers))


async def _rests(schedule: ScheduleHandle) -> bool:
    """Whether it has fired and what it started has ended."""
    info = (await schedule.describe()).info
    return info.num_actions > 0 and not info.running_actions


def _done(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, answer.text
    return answer


def _seen(view: dict[str, Any]) -> tuple[Any, ...]:
    """What a person's wish may change."""
    return view["status"], view["assignee"], view["approved_by"], [case["owner"] for case in view["cases"]]


def _texts(view: dict[str, Any], kind: str) -> list[str]:
    return [entry["text"] for entry in view["timeline"] if entry["kind"] == kind]


@asynccontextmanager
async def opened(address: str, folder: Path, opening: asyncio.Lock, **changes: Any) -> AsyncIterator[Stack]:
    """A stack of its own for one walk. One after another: Alembic migrates one database at a time in a process."""
    async with AsyncExitStack() as around:
        async with opening:
            stack = await around.enter_async_context(
                running_stack(address, folder, policy_file=policy_file(folder), **changes)
            )
        await stack.approvers(*_APPROVERS)
        yield stack
