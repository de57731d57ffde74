"""The one home of every name that makes Billhook idempotent.

A key says which billing event an invoice stands for; it is the workflow id, the record's unique key and the root of
every `Idempotency-Key`. Nothing here reads a clock, an attempt or a run id.
"""

import hashlib
import re
from typing import Final

from billing.errors import BadInput

ID_PATTERN: Final = r"[A-Za-z0-9_.-]{1,100}"
# No colon: a key takes apart one way only.
RESERVED_MILESTONES: Final = frozenset({"completed", "overage"})
# The words that other motions put in a milestone's place.
LONGEST_STEP_KEY: Final = 255
# What providers take as an Idempotency-Key; two ids of 100 characters and a long step would pass it.
RECONCILED: Final = "reconcile:"
# What the id of an event begins with that reconciliation derived; no provider's id looks so.
_LONGEST_EVENT_ID: Final = 200
_ID: Final = re.compile(ID_PATTERN)
_PERIOD: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def checked_id(value: str, field: str) -> str:
    """`value` if it can stand in a key. Raises BadInput naming `field`."""
    if not _ID.fullmatch(value):
        raise BadInput(field, f"{value[:120]!r} is no id", "use 1 to 100 of A-Z a-z 0-9 _ . -")
    return value


def checked_period(value: str, field: str = "period") -> str:
    """A billing period `YYYY-MM`. Raises BadInput."""
    if not _PERIOD.fullmatch(value):
        raise BadInput(field, f"{value[:20]!r} is no month", "send YYYY-MM, for example 2026-10")
    return value


def milestone_key(project_id: str, milestone_id: str) -> str:
    """Raises BadInput for an id that cannot stand in a key, or a milestone named like another motion's word."""
    if milestone_id in RESERVED_MILESTONES:
        raise BadInput("milestone_id", f"{milestone_id!r} is reserved", "give the milestone another id")
    return f"invoice:{checked_id(project_id, 'project_id')}:{checked_id(milestone_id, 'milestone_id')}"


def project_key(project_id: str) -> str:
    return f"invoice:{checked_id(project_id, 'project_id')}:completed"


def quote_key(quote_id: str) -> str:
    return f"invoice:{checked_id(quote_id, 'quote_id')}"


def overage_key(subscription_id: str, period: str, meter: str) -> str:
    subscription = checked_id(subscription_id, "subscription_id")
    return f"invoice:{subscription}:overage:{checked_period(period)}:{checked_id(meter, 'meter')}"


def usage_key(subscription_id: str, period: str) -> str:
    return f"invoice:{checked_id(subscription_id, 'subscription_id')}:{checked_period(period)}"


def usage_period(key: str) -> str:
    """The month that a usage invoice's key names; empty where `key` ends with none."""
    last = key.rsplit(":", 1)[-1]
    return last if _PERIOD.fullmatch(last) else ""


def run_id(group: str, period: str) -> str:
    """The workflow of a group's monthly run: one at a time per month, whoever starts it."""
    return f"run:{checked_id(group, 'group')}:{checked_period(period)}"


def step_key(key: str, step: str, version: int | None = None) -> str:
    """The `Idempotency-Key` of one step: `{key}:{step}` or `{key}:{step}:v{n}`, the same over every retry.

    Where that is longer than providers take, the key's middle gives way to its hash; start and step stay readable.
    """
    tail = f":{step}" if version is None else f":{step}:v{version}"
    if len(key) + len(tail) <= LONGEST_STEP_KEY:
        return key + tail
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: LONGEST_STEP_KEY - len(tail) - len(digest) - 1]}~{digest}{tail}"


def reconciled_event_id(external_id: str, what: str) -> str:
    """The id of the event that reconciliation derives from `what` the API says: the same however often it looks."""
    name = f"{RECONCILED}{external_id}:{what}"
    if len(name) <= _LONGEST_EVENT_ID:
        return name
    return f"{RECONCILED}{hashlib.sha256(name.encode()).hexdigest()}"
