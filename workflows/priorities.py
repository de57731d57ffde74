"""Who goes first where work waits in line: people, then what happens by itself, then a run's bulk.

Within one rank the customers take turns, so that one customer's thousand invoices hold up no other customer's one. The
server orders what waits; with nothing waiting nothing changes. Needs `matching.useNewMatcher` (the default from server
1.31 on) and, for the turns, `matching.enableFairness`; a server without them takes everything in the order it came.
"""

import hashlib
from typing import Final

from temporalio.common import Priority

from billing.queues import Queue

PEOPLE: Final = 1
# Somebody has just answered and looks on.
ORDINARY: Final = 3
# A milestone, a quote, an event: the server's own default, said aloud.
BULK: Final = 5
# A run: nobody waits for any one of its invoices.
_LONGEST_KEY: Final = 64
# Bytes that the server takes for a fairness key.

ANSWERED: Final = Priority(priority_key=PEOPLE)
"""For the steps that follow a person's answer; the customer's turn is inherited from the workflow."""

UNWATCHED: Final = Priority(priority_key=BULK)
"""For what Billhook does of its own accord, such as reconciling."""


def of(queue: Queue, customer_id: str) -> Priority:
    """Of an invoice's workflow and, inherited, of all its steps."""
    return Priority(priority_key=BULK if queue is Queue.RUNS else ORDINARY, fairness_key=turn_of(customer_id))


def turn_of(customer_id: str) -> str:
    """The customer's id; where that is longer than the server takes, its hash."""
    if len(customer_id.encode()) <= _LONGEST_KEY:
        return customer_id
    return hashlib.sha256(customer_id.encode()).hexdigest()
