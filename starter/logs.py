"""How a process of ours logs: to stderr, as text for people or JSON for machines; data alone goes to stdout."""

import io
import logging
import sys
from typing import Literal, TextIO

import structlog

from billing.untrusted import TEXT_LIMIT, one_line, printable


def configure(log_format: Literal["text", "json"]) -> None:
    """Call once at the start of a process."""
    as_json: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    # Plain tracebacks: the renderer's own would show local variables, and secrets among them.
    as_text: list[structlog.typing.Processor] = [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_traceback)
    ]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _plain,
            *(as_json if log_format == "json" else as_text),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _plain(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What others wrote may be in any field: it must not steer the terminal that shows a log, nor forge a line."""
    return {name: one_line(value, TEXT_LIMIT) if isinstance(value, str) else value for name, value in event.items()}


def _traceback(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    told = io.StringIO()
    structlog.dev.plain_traceback(told, exc_info)
    out.write(printable(told.getvalue()))
