"""One invoice, read back from what an OpenTelemetry exporter was given: whole, linked, and with nobody's data in it."""

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlmodel import select
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from billing.errors import BadInput
from billing.payload_keys import PayloadKeys
from connectors.payloads import data_converter
from records.tables import CallRow
from telemetry import tracing
from telemetry.spans import Spans, Spare
from tests.histories import history
from tests.stack import API_KEY, WEBHOOK_SECRET, Stack, assert_eventually, running_stack
from worker import BUILD_ID, WORKFLOWS

ROOT = Path(__file__).parents[2]
PO = "PO-88-for-nobody-else"


@pytest.fixture
def memory() -> Iterator[InMemorySpanExporter]:
    """What leaves this process, as a collector would get it."""
    exporter = InMemorySpanExporter()
    spans = Spans("billhook-test", SimpleSpanProcessor(Spare(exporter)))
    with tracing.used(spans):
        yield exporter
    spans.close()


@pytest.fixture
async def traced(memory: InMemorySpanExporter, temporal_address: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with running_stack(temporal_address, tmp_path) as running:
        yield running


class Told:
    """Spans by name, and who stands above or is linked to whom."""

    def __init__(self, memory: InMemorySpanExporter) -> None:
        self.spans = memory.get_finished_spans()
        self.by_id = {_context(span).span_id: span for span in self.spans}

    def of(self, trace: str) -> list[ReadableSpan]:
        return [span for span in self.spans if f"{_context(span).trace_id:032x}" == trace]

    def above(self, span: ReadableSpan) -> list[str]:
        """The names from `span` up to the top of its trace."""
        names = [span.name]
        while span.parent is not None:
            span = self.by_id[span.parent.span_id]
            names.append(span.name)
        return names

    def linked(self, span: ReadableSpan) -> list[ReadableSpan]:
        return [self.by_id[link.context.span_id] for link in span.links]


def _context(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context


async def _billed(stack: Stack, **changes: Any) -> str:
    await stack.customer()
    key = await stack.milestone(deal_id="deal_7", **changes)
    await stack.until(key, "sent")
    await stack.recipient(key)
    await stack.until(key, "viewed")
    await stack.recipient(key, "amend", po_number=PO)
    await stack.recipient(key, "approve", version="1")
    await stack.until(key, "billed")
    await assert_eventually(lambda: _closed(stack, key))
    return key


async def _closed(stack: Stack, key: str) -> bool:
    described = await stack.client.get_workflow_handle(key).describe()
    return described.close_time is not None


async def test_one_trace_holds_an_invoice_from_its_trigger_to_its_last_call_and_each_webhook_is_linked(
    traced: Stack, memory: InMemorySpanExporter
) -> None:
    key = await _billed(traced)
    told = Told(memory)
    mine = told.of(tracing.of_invoice(key).trace)
    names = {span.name for span in mine}

    # Everything hangs below the trigger, which the caller's request is linked with.
    assert {told.above(span)[-1] for span in mine} == {"trigger milestone"}
    [trigger] = [span for span in mine if span.parent is None]
    assert [span.name for span in told.linked(trigger)] == ["POST /triggers/milestone"]
    assert {"StartWorkflow:InvoiceWorkflow", "RunWorkflow:InvoiceWorkflow", "CompleteWorkflow:InvoiceWorkflow"} <= names
    # Each activity that the history knows ran, and is below the workflow that asked for it.
    asked = sorted(span.name.partition(":")[2] for span in mine if span.name.startswith("StartActivity:"))
    ran = sorted(span.name.partition(":")[2] for span in mine if span.name.startswith("RunActivity:"))
    assert asked == ran
    assert {"create_draft", "issue", "send_mail", "sync_fields", "mark_billed", "post_invoice"} <= set(ran)
    assert {*await _scheduled(traced, key)} <= set(ran)
    # Each call that the invoice's record knows of is below the activity that made it, with the step's own key.
    calls = [span for span in mine if "billhook.call" in (span.attributes or {})]
    assert sorted(map(_call, calls)) == await _answered(traced, key)
    assert all(told.above(span)[1].startswith("RunActivity:") for span in calls)
    # Each webhook is an event with a trace of its own, handled in the invoice's and linked with it.
    handled = {span.name: span for span in mine if span.name.startswith("HandleSignal:")}
    assert set(handled) == {"HandleSignal:viewed", "HandleSignal:amended", "HandleSignal:approved"}
    for span in handled.values():
        _assert_came_by_a_webhook(told, span)


def _assert_came_by_a_webhook(told: Told, handled: ReadableSpan) -> None:
    signal = handled.name.partition(":")[2]
    [sent] = told.linked(handled)
    above = told.above(sent)
    assert above == [f"SignalWorkflow:{signal}", f"deliver invoice.{signal}", f"event invoice.{signal}"]
    event = next(span for span in told.of(f"{_context(sent).trace_id:032x}") if span.parent is None)
    known = tracing.of_event("jupiter", str((event.attributes or {})["billhook.event"]))
    assert (_context(event).trace_id, _context(event).span_id) == (known.trace_id, known.span_id)
    assert [span.name for span in told.linked(event)] == ["POST /webhooks/jupiter"]


def _call(span: ReadableSpan) -> tuple[str, ...]:
    found = span.attributes or {}
    return tuple(str(found[f"billhook.{name}"]) for name in ("system", "call", "step_key"))


async def _answered(stack: Stack, key: str) -> list[tuple[str, ...]]:
    async with stack.database.session() as session:
        rows = (await session.execute(select(CallRow).where(CallRow.key == key))).scalars().all()
    assert {row.system for row in rows} == {"jupiter", "smtp", "crm", "accounting"}
    return sorted((row.system, f"{row.method} {row.path}", row.step_key) for row in rows)


async def _scheduled(stack: Stack, key: str) -> list[str]:
    found = await stack.client.get_workflow_handle(key).fetch_history()
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in found.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_no_secret_and_nobodys_data_leaves_with_a_span(traced: Stack, memory: InMemorySpanExporter) -> None:
    """Not by a failure's words, not by an address, not by a header; failed and refused calls included."""
    await traced.customer(email="anne@acme.example", name="Anne Recipient")
    await traced.faults(error_rate=1)
    key = await traced.milestone(amount="77.31")
    await assert_eventually(lambda: _failed(memory))
    await traced.faults()
    await traced.until(key, "sent")
    await traced.api.get("/desk/sign-in/return?code=codeofanne&state=stateofanne")
    await traced.api.get("/invoices", params={"customer": "anne"})
    told = "\n".join(span.to_json() for span in memory.get_finished_spans())

    assert "GET /invoices" in told
    secrets = (traced.tokens["admin"], API_KEY, WEBHOOK_SECRET)
    assert [one for one in (*secrets, "anne", "Anne", "77.31", "127.0.0.1", "Traceback") if one in told] == []


async def _failed(memory: InMemorySpanExporter) -> bool:
    found = [span for span in memory.get_finished_spans() if span.name == "RunActivity:create_draft"]
    return any(span.status.status_code is StatusCode.ERROR for span in found)


async def test_an_invoice_that_was_started_without_traces_goes_on_the_same_with_them(
    memory: InMemorySpanExporter,
) -> None:
    """Recorded histories replay under the interceptor, every third here, and a replay tells no span a second time."""
    replayer = Replayer(
        workflows=list(WORKFLOWS),
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=data_converter(PayloadKeys()),
        interceptors=tracing.interceptors(),
        build_id=BUILD_ID,
    )
    for path in history.paths()[::3]:
        await replayer.replay_workflow(history.read(path))
    assert not memory.get_finished_spans()


def test_off_it_is_off() -> None:
    """Without OpenTelemetry's variables its weight is not loaded, by no process of ours; and no header is sent."""
    heavy = "('opentelemetry.sdk', 'opentelemetry.instrumentation', 'temporalio.contrib.opentelemetry')"
    code = "import sys, worker, starter.client; from telemetry import tracing as t; t.set_up('x', {});"
    code += f"print(t.interceptors(), t.trace_id(), [m for m in sys.modules if m.startswith({heavy})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - our own words
    assert done.stdout.strip() == "[] None []"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "billhook"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_opentelemetrys_own_variables_turn_it_on(environment: dict[str, str], wanted: bool) -> None:
    assert tracing.is_wanted(environment) is wanted


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER"])
def test_what_is_not_built_in_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadInput, match=name):
        tracing.is_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", name: "grpc"})


def test_all_who_go_on_with_an_event_decide_alike_whether_its_trace_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """With half of the traces kept: the beginning and the delivery of one event are kept together or not at all."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    exporter = InMemorySpanExporter()
    spans = Spans("billhook-test", SimpleSpanProcessor(Spare(exporter)))
    with tracing.used(spans):
        for number in range(40):
            tracing.event_stored("jupiter", f"evt_{number}", "viewed")
            with tracing.delivering("jupiter", f"evt_{number}", "viewed"):
                pass
    kept = Counter(_context(span).trace_id for span in exporter.get_finished_spans())
    assert set(kept.values()) == {2}
    assert 0 < len(kept) < 40
