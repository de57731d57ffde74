"""One function turns every failure into retry, retry at, or never.

nothing was heard, 408, 425, 5xx      retry, with growing pauses
429, 503 with Retry-After             retry at that time
409 about an Idempotency-Key          retry: the first try is still under way
no connection to our records          retry: nothing was done on that session, and steps may be repeated
any other 4xx, our own refusals       never: a person must look
"""

from datetime import timedelta
from typing import Final

from pydantic import ValidationError
from temporalio.exceptions import ApplicationError, CancelledError

from billing.errors import BillhookError
from connectors.http import BadAnswer, CallFailed
from connectors.smtp import MailRefused
from records.pool import RecordsUnavailable

LONGEST_WAIT: Final = timedelta(hours=1)
# What a provider may ask us to wait; a header of years must not park an invoice unseen.
_TRANSIENT: Final = frozenset({408, 425, 429})
_CONFLICT: Final = 409
_SERVER: Final = 500


def classify(error: Exception) -> BaseException:  # noqa: PLR0911 - one for each row above
    """`error` as Temporal should see it. An error that nobody foresaw stays as it is, and is retried."""
    match error:
        case ApplicationError() | CancelledError():
            return error
        case CallFailed():
            return _call_failed(error)
        case RecordsUnavailable():
            return ApplicationError(str(error), type=error.slug)
        case BillhookError():
            return ApplicationError(str(error), type=error.slug, non_retryable=True)
        case BadAnswer() | MailRefused():
            return ApplicationError(str(error), type=type(error).__name__, non_retryable=True)
        case ValidationError():
            return ApplicationError(f"{error.error_count()} bad fields: {error}", type="BadAnswer", non_retryable=True)
        case _:
            return error


def _call_failed(error: CallFailed) -> ApplicationError:
    delay = None if error.retry_after is None else min(error.retry_after, LONGEST_WAIT)
    return ApplicationError(
        str(error), type="CallFailed", non_retryable=not _is_transient(error), next_retry_delay=delay
    )


def _is_transient(error: CallFailed) -> bool:
    status = error.status
    if status is None or status in _TRANSIENT or status >= _SERVER:
        return True
    return status == _CONFLICT and (error.field == "Idempotency-Key" or error.retry_after is not None)
