"""The spans themselves: where they are made, how those of one invoice or event come together, what may leave with them.

Loaded only where traces are on. Temporal's own interceptor makes those around workflows and activities and is safe to
replay; it is given a tracer, so that nothing here is global to the process and a test may have its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any, Final

import httpx
from fastapi import FastAPI
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import TracingInterceptor

from telemetry.tracing import Origin

_UNWATCHED: Final = r"/(healthz|readyz|metrics)$,/desk/static/"
# Asked every few seconds by machines, and about nobody.
_KEPT: Final = frozenset(
    {
        "http.method",
        "http.request.method",
        "http.route",
        "http.status_code",
        "http.response.status_code",
        "error.type",
        "exception.type",
        "temporalWorkflowID",
        "temporalRunID",
        "temporalActivityID",
        "temporalActivityType",
        "temporalUpdateID",
        "billhook.key",
        "billhook.event",
        "billhook.system",
        "billhook.call",
        "billhook.step_key",
    }
)
# All that leaves. Not among them: addresses and queries of requests, which hold codes to sign in with, who called from
# where, and the words of failures, in which the other side may quote a recipient.
_CHOSEN: Final[ContextVar[Origin | None]] = ContextVar("chosen_origin", default=None)


class _Ids(RandomIdGenerator):
    """Random, but for the first span of a trace whose id is known beforehand."""

    def generate_trace_id(self) -> int:
        chosen = _CHOSEN.get()
        return super().generate_trace_id() if chosen is None else chosen.trace_id

    def generate_span_id(self) -> int:
        chosen = _CHOSEN.get()
        return super().generate_span_id() if chosen is None or not chosen.span_id else chosen.span_id


class Spare(SpanExporter):
    """Hands on to `inner` what an operator needs of each span, and nothing else."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([_spare(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _spare(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_kept(span.attributes),
        events=[Event(event.name, _kept(event.attributes), event.timestamp) for event in span.events],
        links=[Link(link.context) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _kept(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name in _KEPT}


def exporting(service: str) -> "Spans":
    """To where OpenTelemetry's variables say, over HTTP, in batches and from a thread of its own."""
    # What a caller sends as baggage would otherwise go on to every provider.
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    return Spans(service, BatchSpanProcessor(Spare(OTLPSpanExporter())))


class Spans:
    """One tracer provider, and what of ours is watched by it."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        resource = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version("billhook")})
        self._provider = TracerProvider(resource=resource, id_generator=_Ids())
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("billhook")
        self.interceptor = TracingInterceptor(self._provider.get_tracer("temporalio"))

    def close(self) -> None:
        self._provider.shutdown()

    def watch_app(self, app: FastAPI) -> None:
        FastAPIInstrumentor.instrument_app(
            app, tracer_provider=self._provider, excluded_urls=_UNWATCHED, exclude_spans=["receive", "send"]
        )

    def watch_client(self, client: httpx.AsyncClient | httpx.Client) -> None:
        HTTPXClientInstrumentor.instrument_client(client, tracer_provider=self._provider)

    def begun(self, origin: Origin, name: str, attributes: Mapping[str, str]) -> None:
        """The span with which a trace begins, linked to what is going on here and that to it."""
        with self._first(origin, name, attributes):
            pass

    @contextmanager
    def top(self, origin: Origin, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """At the top of the trace, beside what else stands there: it may be tried more than once."""
        with self._first(Origin(origin.trace_id, 0), name, attributes) as span, trace.use_span(span):
            yield

    @contextmanager
    def going_on(self, origin: Origin, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """Beneath the span that the trace began with, whoever wrote it."""
        begun = NonRecordingSpan(
            SpanContext(origin.trace_id, origin.span_id, is_remote=True, trace_flags=self._flags(origin))
        )
        context = trace.set_span_in_context(begun, Context())
        with self._tracer.start_as_current_span(name, context, SpanKind.CONSUMER, attributes):
            yield

    @contextmanager
    def inside(self, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        with self._tracer.start_as_current_span(name, None, SpanKind.CLIENT, attributes):
            yield

    def trace_id(self) -> str | None:
        context = trace.get_current_span().get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else None

    @contextmanager
    def _first(self, origin: Origin, name: str, attributes: Mapping[str, str]) -> Iterator[trace.Span]:
        around = trace.get_current_span()
        links = [Link(around.get_span_context())] if around.get_span_context().is_valid else []
        token = _CHOSEN.set(origin)
        try:
            span = self._tracer.start_span(name, Context(), SpanKind.PRODUCER, attributes, links)
        finally:
            _CHOSEN.reset(token)
        around.add_link(span.get_span_context())
        try:
            yield span
        finally:
            span.end()

    def _flags(self, origin: Origin) -> TraceFlags:
        """Whether the trace is kept: by its id alone, so that all who go on with it decide alike."""
        told = self._provider.sampler.should_sample(Context(), origin.trace_id, "")
        return TraceFlags(TraceFlags.SAMPLED if told.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT)
