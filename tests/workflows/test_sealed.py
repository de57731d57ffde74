"""With keys set, Temporal keeps nothing of an invoice that can be read without them; what it kept before still is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.protobuf.json_format import MessageToJson, Parse
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from audit.auditor import audit
from audit.histories import read_histories
from audit.sources import Sources
from billing.payload_keys import new_key
from connectors.payloads import UnknownPayloadKey
from records.tokens import Scope
from tests.stack import Stack, running_stack

OLD, NEW = new_key("2026-05"), new_key("2026-11")
WORDS = "Roll-out of the secret plant"


@asynccontextmanager
async def with_keys(address: str, folder: Path, *keys: str) -> AsyncIterator[Stack]:
    """The same records, invoices and queue, by other keys."""
    given: dict[str, Any] = {"payload_keys": SecretStr(",".join(keys)), "task_queue": f"billhook-{folder.name}"}
    async with running_stack(address, folder, **given) as stack:
        yield stack


async def raw(stack: Stack, key: str) -> tuple[bytes, list[str]]:
    """All bytes that Temporal keeps of a key's history, and the kinds of its events."""
    history = await stack.client.get_workflow_handle(key).fetch_history()
    kinds = [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events]
    return b"".join(event.SerializeToString() for event in history.events), kinds


async def billed(stack: Stack, key: str) -> None:
    """The recipient approves; the sandbox may have moved to another port since the link was made."""
    path = urlsplit((await stack.invoice(key))["link"]).path
    headers = {"Accept": "application/json", "Authorization": ""}
    answer = await stack.jupiter.post(f"{path}/approve", headers=headers, data={"version": 1, "name": "Rae"})
    assert answer.is_success, answer.text
    await stack.until(key, "billed")


async def approved(stack: Stack, key: str) -> None:
    """A person's yes, by an update whose answer is sealed as well."""
    revision = (await stack.until(key, "awaiting_approval"))["revision"]
    headers = await stack.token("dana", Scope.APPROVE)
    body = {"action": "approve", "revision": revision, "note": f"yes to the {WORDS}"}
    answer = await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)
    assert answer.is_success, answer.text


async def test_invoices_live_on_while_keys_are_switched_on_and_changed(temporal_address: str, tmp_path: Path) -> None:
    async with with_keys(temporal_address, tmp_path) as stack:
        await stack.customer()
        clear = await stack.milestone(description=WORDS)
        await stack.until(clear, "sent")
        assert WORDS.encode() in (await raw(stack, clear))[0], "without keys it is in the clear"
    async with with_keys(temporal_address, tmp_path, OLD) as stack:
        await billed(stack, clear)
        waiting = await stack.milestone(description=WORDS, amount="31415.92")
        await stack.until(waiting, "awaiting_approval")
    async with with_keys(temporal_address, tmp_path, NEW, OLD) as stack:
        await approved(stack, waiting)
        await stack.until(waiting, "sent")
        await billed(stack, waiting)
        kept, kinds = await raw(stack, waiting)
        assert {"MARKER_RECORDED", "ACTIVITY_TASK_COMPLETED", "WORKFLOW_EXECUTION_SIGNALED"} <= set(kinds)
        assert not [word for word in (WORDS, "31415.92", "Rae", "dana") if word.encode() in kept]
        assert b"3141592" in kept, "what the server searches by stays clear"
        assert b"2026-05" in kept
        assert b"2026-11" in kept
        report = await audit(Sources(stack.database, truth=await stack.truth(), client=stack.client))
        assert report.is_clean, list(report.violations)


async def test_a_history_whose_key_is_gone_is_named_and_not_taken_for_empty(
    temporal_address: str, tmp_path: Path
) -> None:
    async with with_keys(temporal_address, tmp_path, OLD) as stack:
        await stack.customer()
        key = await stack.milestone()
        await stack.until(key, "sent")
        stranger = await Client.connect(temporal_address, data_converter=pydantic_data_converter)
        with pytest.raises(UnknownPayloadKey, match="2026-05"):
            await read_histories(stranger, [key])


async def test_what_a_failing_step_says_is_sealed_too(temporal_address: str, tmp_path: Path) -> None:
    async with with_keys(temporal_address, tmp_path, NEW) as stack:
        await stack.customer()
        stack.mailbox.refusing = True
        key = await stack.milestone()
        parked = await stack.until(key, "needs_attention")
        assert "recipient refused" in str(parked), "our own records tell why"
        kept, kinds = await raw(stack, key)
        assert "ACTIVITY_TASK_FAILED" in kinds
        assert b"recipient refused" not in kept
        assert b"Encoded failure" in kept


async def test_a_signal_that_a_person_sends_from_the_ui_is_sealed_on_its_way(
    temporal_address: str, tmp_path: Path
) -> None:
    async with with_keys(temporal_address, tmp_path, NEW) as stack:
        await stack.customer()
        key = await stack.milestone(amount="31415.92")
        await stack.until(key, "awaiting_approval")
        headers = await stack.token("dana", Scope.APPROVE)
        said = Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=b'{"approver": "dana"}')])
        encoded = await stack.api.post("/desk/codec/encode", content=MessageToJson(said), headers=headers)
        await stack.client.workflow_service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=key),
                signal_name="approve",
                input=Parse(encoded.content, Payloads()),
            )
        )
        sent = await stack.until(key, "sent")
        assert [one["actor"] for one in sent["decisions"] if one["action"] == "approve"] == ["dana"]
        assert b"dana" not in (await raw(stack, key))[0]
