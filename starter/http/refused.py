"""One line of the log for a refused webhook: whoever sets an endpoint up sees here why nothing comes in.

Anybody may post to the door, so there are only so many lines: what comes above that is counted, and the next line says
how many there were. Neither the body nor a signature is told.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

import structlog

from billing.errors import BillhookError
from billing.untrusted import one_line
from starter.http.rates import Buckets

LINES_PER_S: Final = 2.0
# Two lines of a few hundred bytes: under 100 MB a day, however many addresses a flood comes from.
_LONGEST_ID: Final = 100
_LONGEST_REASON: Final = 200
_IDS: Final = ("webhook-id", "x-github-delivery", "linear-delivery", "x-atlassian-webhook-identifier")

log = structlog.get_logger(__name__)


class RefusedWebhooks:
    """One for each application. `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._lines = Buckets(LINES_PER_S, clock)
        self._untold = 0

    def tell(self, source: str, headers: Mapping[str, str], error: BillhookError) -> None:
        """A line, or one more for the next line to count."""
        if self._lines.take(""):
            self._untold += 1
            return
        more = {"untold_before": self._untold} if self._untold else {}
        self._untold = 0
        named = next(filter(None, (headers.get(name) for name in _IDS)), "")
        log.warning(
            "webhook_refused",
            source=source,
            webhook_id=one_line(named, _LONGEST_ID),
            kind=error.slug,
            reason=one_line(error.detail, _LONGEST_REASON),
            **more,
        )
