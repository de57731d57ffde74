"""Whether a trigger's times can be meant: nobody pays by a day that is over, and nothing has occurred tomorrow.

Asked of a trigger that is new; one that is repeated weeks later, when its due date has passed, is still the same one.
"""

from datetime import date, datetime, timedelta
from typing import Final

from billing.errors import BadInput
from billing.intent import Intent

CLOCKS_DIFFER: Final = timedelta(minutes=5)
# As much as a webhook's timestamp may: clocks that are kept are closer, clocks that are not need a person.
_LAST_ZONE: Final = timedelta(hours=12)
# A day is over everywhere half a day after it is over in UTC.


def check_times(intent: Intent, now: datetime) -> None:
    """Raises BadInput naming `due_date` or `occurred_at`; `now` is aware."""
    check_due(intent.commercial.due_date, now)
    if intent.source.occurred_at > now + CLOCKS_DIFFER:
        raise BadInput(
            "occurred_at",
            f"{intent.source.occurred_at.isoformat()} is in the future; it is {now:%Y-%m-%dT%H:%M:%SZ} here",
            "send when it happened, and see that the sender's clock is right",
        )


def check_due(due_date: date | None, now: datetime) -> None:
    """Raises BadInput where the day is over in every zone."""
    if due_date is not None and due_date < (now - _LAST_ZONE).date():
        raise BadInput(
            "due_date",
            f"{due_date} is over; nobody can pay by then",
            "send a day from today on, or leave it out: then payment_terms count from the day of issue",
        )
