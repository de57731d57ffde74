"""What is logged says what it is about, and holds neither secrets nor recipients' data."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from starter import logs
from telemetry import tracing
from telemetry.spans import Spans
from tests.stack import API_KEY, WEBHOOK_SECRET, Stack, assert_eventually


@contextmanager
def logged(*secrets: str) -> Iterator[io.StringIO]:
    """What a process would write in JSON, its libraries included, down to the last detail."""
    out = io.StringIO()
    handler, root = logs.handler("json", secrets, out), logging.getLogger()
    structlog.configure(processors=logs.processors("json", secrets), logger_factory=structlog.PrintLoggerFactory(out))
    root.addHandler(handler)
    try:
        yield out
    finally:
        root.removeHandler(handler)
        structlog.reset_defaults()


@pytest.fixture
def traced() -> Iterator[None]:
    spans = Spans("billhook-test", SimpleSpanProcessor(InMemorySpanExporter()))
    with tracing.used(spans):
        yield


@pytest.fixture
async def told(traced: None, stack: Stack) -> list[dict[str, Any]]:
    """The lines of a walk: a provider that fails at first, a recipient who amends and approves."""
    with logged(API_KEY, WEBHOOK_SECRET) as out:
        await stack.customer(name="Anne Recipient", email="anne@acme.example")
        await stack.faults(error_rate=1)
        key = await stack.milestone(project_id="project_logs", amount="77.31")
        await assert_eventually(lambda: _has(out, "to_be_retried"))
        await stack.faults()
        await stack.until(key, "sent")
        await stack.recipient(key)
        amended = await stack.recipient(key, "amend", po_number="PO-88", billing_entity="Anne Holding")
        assert amended.is_success, amended.text
        await stack.recipient(key, "approve", version="1")
        await stack.until(key, "billed")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return [*lines, {"token": stack.tokens["admin"]}]


async def _has(out: io.StringIO, words: str) -> bool:
    return words in out.getvalue()


async def test_a_walk_is_told_by_key_workflow_event_and_trace_and_about_nobody(told: list[dict[str, Any]]) -> None:
    *lines, kept = told
    key = "invoice:project_logs:milestone_3"
    steps = [one for one in lines if one["event"] == "step" and one.get("key") == key]
    assert {"create_draft", "issue", "send_mail", "sync_fields", "post_invoice"} <= {one["step"] for one in steps}
    trace = tracing.of_invoice(key).trace
    assert {(one["workflow_id"], one["trace_id"]) for one in steps} == {(key, trace)}
    settled = [one for one in lines if one["event"] == "event_settled" and one["key"] == key]
    assert {"invoice.viewed", "invoice.amended", "invoice.approved"} <= {one["type"] for one in settled}
    assert all(one["trace_id"] == tracing.of_event("jupiter", one["event_id"]).trace for one in settled)
    # The SDK tells of the failed try itself, with a traceback, and it is about the same invoice.
    failed = [one for one in lines if "exception" in one and one["event"].startswith("Completing activity as failed")]
    assert {(one["workflow_id"], one["step"]) for one in failed} == {(key, "create_draft")}

    text = json.dumps(lines)
    secrets = (API_KEY, WEBHOOK_SECRET, kept["token"])
    assert [one for one in (*secrets, "anne", "Anne", "PO-88", "77.31") if one in text] == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no mailbox anne.b+x@mail.acme.example here", "no mailbox [mail] here"),
        ("token bh_ADR-bX5wG8TESHFQVkKHJValFdcB", "token [secret]"),
        ("Authorization: Bearer abcdefghij.klm", "Authorization: [secret]"),
        ("key jk_live_4711 refused", "key [secret] refused"),
        ("invoice:project_4821:milestone_3", "invoice:project_4821:milestone_3"),
    ],
)
@pytest.mark.parametrize("how", ["ours", "a library's", "a traceback's"])
def test_what_a_failure_quotes_is_taken_out(said: str, shown: str, how: str) -> None:
    with logged("jk_live_4711") as out:
        match how:
            case "ours":
                structlog.get_logger().warning("failed", cause=said)
            case "a library's":
                logging.getLogger("some.library").warning("it said %s", said)
            case _:
                structlog.get_logger().error("failed", exc_info=ValueError(said))
    assert shown in out.getvalue()
    assert said == shown or said not in out.getvalue()
