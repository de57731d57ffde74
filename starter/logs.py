"""How a process of ours logs: to stderr, as text for people or JSON for machines; data alone goes to stdout.

Every line says what it is about where that is known: `key`, `workflow_id`, `event_id`, `trace_id`. What libraries log
(Temporal's SDK, the HTTP server) goes the same way. None holds a secret or a mail address: whoever logs should not put
them there, and what comes in the words of a failure is taken out here.
"""

import io
import logging
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TextIO

import structlog

from billing.untrusted import TEXT_LIMIT, one_line, printable
from settings import SECRETS, Settings
from telemetry import tracing

Format = Literal["text", "json"]
_MAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_TOKEN: Final = re.compile(r"\b(?:bh_|whsec_)[A-Za-z0-9_+/=-]{8,}|(?i:\bbearer\s+)[^\s\"']{8,}")
# Ours and Standard Webhooks' own spelling; and whatever stands in such a header.
_SHORTEST: Final = 6
# A secret of fewer letters would be taken out of ordinary words.
_TEMPORAL: Final = {"workflow_id": "workflow_id", "activity_type": "step", "attempt": "attempt"}
# What of Temporal's own details of a record we show, and under which name.


def configure(log_format: Format, settings: Settings | None = None) -> None:
    """Call once at the start of a process, with its settings, whose secrets no line will show."""
    secrets = secrets_of(settings) if settings else ()
    structlog.configure(
        processors=processors(log_format, secrets),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[handler(log_format, secrets, sys.stderr)], level=logging.WARNING, force=True)


def secrets_of(settings: Settings) -> list[str]:
    """The values that no line may show, of a list each."""
    values = (getattr(settings, name) for name in SECRETS)
    texts = (str(getattr(value, "get_secret_value", lambda value=value: value)() or "") for value in values)
    return sorted({part for text in texts for part in text.split(",") if len(part) >= _SHORTEST}, key=len, reverse=True)


def processors(log_format: Format, secrets: Iterable[str] = ()) -> list[structlog.typing.Processor]:
    """What every line of ours goes through."""
    return [structlog.contextvars.merge_contextvars, *_begun(), *_ended(log_format, _spare(secrets))]


def handler(log_format: Format, secrets: Iterable[str], out: TextIO) -> logging.Handler:
    """The same for what libraries log."""
    found = logging.StreamHandler(out)
    found.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.contextvars.merge_contextvars, _of_temporal, *_begun()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_ended(log_format, _spare(secrets)),
            ],
        )
    )
    return found


def _begun() -> list[structlog.typing.Processor]:
    return [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), _placed, _plain]


def _ended(log_format: Format, spare: Callable[[str], str]) -> list[structlog.typing.Processor]:
    def spared(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {name: spare(value) if isinstance(value, str) else value for name, value in event.items()}

    def traceback(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
        told = io.StringIO()
        structlog.dev.plain_traceback(told, exc_info)
        out.write(printable(spare(told.getvalue())))

    # Plain tracebacks: the renderer's own would show local variables, and secrets among them.
    if log_format == "json":
        return [structlog.processors.format_exc_info, spared, structlog.processors.JSONRenderer(default=str)]
    return [spared, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=traceback)]


def _spare(secrets: Iterable[str]) -> Callable[[str], str]:
    known = [secret for secret in secrets if secret]

    def spare(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "[secret]")
        return _MAIL.sub("[mail]", _TOKEN.sub("[secret]", text))

    return spare


def _placed(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An invoice's workflow has its key as its id; the trace is that of the span that is open here."""
    if "key" in event:
        event.setdefault("workflow_id", event["key"])
    if (trace := tracing.trace_id()) is not None:
        event.setdefault("trace_id", trace)
    return event


def _of_temporal(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The SDK tells whose record it is in details of its own, and once more in the words; the details are enough."""
    record: Any = event.get("_record")
    for name in ("temporal_activity", "temporal_workflow"):
        details = getattr(record, name, None)
        if isinstance(details, dict):
            event.update({ours: details[theirs] for theirs, ours in _TEMPORAL.items() if theirs in details})
            event["event"] = str(event["event"]).partition(" ({")[0]
    return event


def _plain(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What others wrote may be in any field: it must not steer the terminal that shows a log, nor forge a line."""
    return {name: one_line(value, TEXT_LIMIT) if isinstance(value, str) else value for name, value in event.items()}
