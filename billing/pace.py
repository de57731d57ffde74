"""How long the calls of a run's invoices take at the least, from the limits that outside systems set us.

A limit is in steps per second at one system over all workers, as the settings have it; what a run waits for is the
system that is through last.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from billing.queues import Queue


class Steps(NamedTuple):
    """What decides which steps an invoice of a run takes: whether its draft is patched with what earlier recipients
    gave, and whether it waits for a person."""

    carries: bool
    asks: bool


class Pace(BaseModel):
    """`steps` at each outside system, its `rates` in steps per second where it has a limit, and what comes of them.

    `seconds` is None without any limit: then the run goes as fast as the provider answers. `bound_by` is the system
    that takes longest.
    """

    model_config = ConfigDict(frozen=True)

    steps: dict[str, int]
    rates: dict[str, float]
    seconds: int | None
    bound_by: str | None


_DAY_S: Final = 86_400
_CREATE: Final = 1
_PATCH: Final = 1
# Discounts and custom due dates are not a run's; what was given on earlier invoices goes by patch.
_ISSUE: Final = 1
_MAIL: Final = 1
# As `InvoiceWorkflow` walks it: create, patch where something carries forward, issue, mail the link. What waits for a
# person is mailed to him instead, and issued when he has answered, which is no part of the run's time.


def steps_of(one: Steps) -> Counter[Queue]:
    """The steps of one invoice by system, until the run is done with it."""
    at_provider = _CREATE + (_PATCH if one.carries else 0) + (0 if one.asks else _ISSUE)
    return Counter({Queue.JUPITER: at_provider, Queue.MAIL: _MAIL})


def pace(invoices: Mapping[Steps, int], rates: Mapping[Queue, float]) -> Pace:
    """For so many invoices of each kind at these rates (steps per second)."""
    steps: Counter[Queue] = Counter()
    for kind, count in invoices.items():
        for queue, one in steps_of(kind).items():
            steps[queue] += one * count
    waits = {queue: math.ceil(steps[queue] / rate) for queue, rate in rates.items() if queue in steps}
    slowest = max(waits, key=lambda queue: waits[queue], default=None)
    return Pace(
        steps={queue.value: count for queue, count in sorted(steps.items())},
        rates={queue.value: rate for queue, rate in sorted(rates.items()) if queue in steps},
        seconds=None if slowest is None else waits[slowest],
        bound_by=None if slowest is None else slowest.value,
    )


def says(pace: Pace) -> str:
    """In words, with what it is bound by."""
    calls = [f"{count:,} to {name}" for name, count in pace.steps.items() if count]
    if not calls:
        return "no time: there is nothing to call"
    if pace.seconds is None:
        return f"as long as the provider takes: {' and '.join(calls)}; BILLHOOK_JUPITER_RATE sets no limit"
    rate = pace.rates[pace.bound_by or ""]
    return f"{span(pace.seconds)} at the least: {' and '.join(calls)}; {pace.bound_by} takes {rate:g} a second"


def span(seconds: int) -> str:
    """`1 d 02:03:04`."""
    days, rest = divmod(seconds, _DAY_S)
    hours, rest = divmod(rest, 3600)
    return (f"{days} d " if days else "") + f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
