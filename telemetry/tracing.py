"""Whether this process tells what it does as OpenTelemetry traces, and the few words in which we tell it.

Off unless OpenTelemetry's own variables name an endpoint; then its weight is not loaded, no header is sent and each
word below is one comparison. On, `telemetry/spans.py` does the work. An invoice and an event have a trace of their own,
whose id follows from the key or from the event's id, so that whoever goes on with it hours later, in another process,
needs nothing carried along: docs/decisions/0022-traces.md.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from billing.errors import BadInput

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from telemetry.spans import Spans

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_HTTP: Final = "http/protobuf"


@dataclass(frozen=True)
class Origin:
    """Where a trace of ours begins: its id, and the id of the span that whoever began it wrote."""

    trace_id: int
    span_id: int

    @property
    def trace(self) -> str:
        """The trace's id as OpenTelemetry spells it: 32 hexadecimal digits."""
        return f"{self.trace_id:032x}"


def of_invoice(key: str) -> Origin:
    """The trace of all that is done for this invoice, from its trigger until it is closed weeks later."""
    return _origin("invoice", key)


def of_event(source: str, event_id: str) -> Origin:
    """The trace of one event: its coming in, and what came of it."""
    return _origin("event", source, event_id)


def _origin(*words: str) -> Origin:
    digest = hashlib.sha256("\n".join(words).encode()).digest()
    # Neither may be zero: W3C Trace Context, 3.2.2.3.
    return Origin(int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1)


class _Switch:
    """What this process has."""

    on: "Spans | None" = None


def is_wanted(environment: Mapping[str, str]) -> bool:
    """By OpenTelemetry's variables. Raises BadInput where they ask for what is not built in."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    if exporter == "none" or not any(environment.get(name) for name in _ENDPOINTS):
        return False
    if exporter != "otlp":
        raise BadInput("OTEL_TRACES_EXPORTER", f"{exporter} is not built in", "use otlp or none")
    for name in _PROTOCOLS:
        if environment.get(name, _HTTP) != _HTTP:
            raise BadInput(name, f"{environment[name]} is not built in", f"use {_HTTP}")
    return True


def set_up(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Once, at the start of a process, before it connects to anything. `service` where OTEL_SERVICE_NAME names none.

    Raises BadInput.
    """
    if is_wanted(environment):
        from telemetry.spans import exporting  # noqa: PLC0415 - costs what is saved where traces are off

        _Switch.on = exporting(environment.get("OTEL_SERVICE_NAME") or service)


def close() -> None:
    """At the end of a process: what was not sent yet is sent now."""
    spans, _Switch.on = _Switch.on, None
    if spans is not None:
        spans.close()


@contextmanager
def used(spans: "Spans") -> Iterator[None]:
    """Inside it, this process tells `spans`. For tests, which keep them in memory."""
    before, _Switch.on = _Switch.on, spans
    try:
        yield
    finally:
        _Switch.on = before


def interceptors() -> list[Any]:
    """For a client of Temporal; a worker takes its client's."""
    return [] if _Switch.on is None else [_Switch.on.interceptor]


def watch_app(app: "FastAPI") -> None:
    """Each request to `app` is a span, of its caller's trace where it names one."""
    if _Switch.on is not None:
        _Switch.on.watch_app(app)


def watch_client(client: "httpx.AsyncClient | httpx.Client") -> None:
    """Each request of `client` is a span, and tells the other side of it."""
    if _Switch.on is not None:
        _Switch.on.watch_client(client)


def event_stored(source: str, event_id: str, kind: str) -> None:
    """An event is kept: call it once per event, inside whatever brought it."""
    if _Switch.on is not None:
        _Switch.on.begun(of_event(source, event_id), f"event {kind}", {"billhook.event": event_id})


def delivering(source: str, event_id: str, kind: str) -> AbstractContextManager[None]:
    """A stored event is brought to where it belongs, perhaps by another process and long after."""
    if _Switch.on is None:
        return nullcontext()
    return _Switch.on.going_on(of_event(source, event_id), f"deliver {kind}", {"billhook.event": event_id})


def starting(key: str, motion: str) -> AbstractContextManager[None]:
    """The workflow of an invoice is started, by whoever: from here on it is in its own trace."""
    if _Switch.on is None:
        return nullcontext()
    return _Switch.on.top(of_invoice(key), f"trigger {motion}", {"billhook.key": key})


def calling(system: str, method: str, path: str, step_key: str) -> AbstractContextManager[None]:
    """A call to an outside system. `path` must name no host and hold no secret."""
    if _Switch.on is None:
        return nullcontext()
    attributes = {"billhook.system": system, "billhook.call": f"{method} {path}", "billhook.step_key": step_key}
    return _Switch.on.inside(f"{system} {method}", attributes)


def commanded(name: str) -> AbstractContextManager[None]:
    """A command that somebody gave at a terminal."""
    return nullcontext() if _Switch.on is None else _Switch.on.inside(f"billhook {name}".strip(), {})


def trace_id() -> str | None:
    """Of the span that is open here, for a line in a log."""
    return None if _Switch.on is None else _Switch.on.trace_id()
