"""Who called what: a call to an outside system that was answered is noted here by the connector that made it.

A connector knows the call and not for whom it is made; the activity around it knows that and not the call. So the
note goes into a context variable, and activities/recording.py puts what was noted on the activity's answer. Outside of
`noting` a note goes nowhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from billing.record import Call

_NOTED: Final[ContextVar[list[Call] | None]] = ContextVar("noted_calls", default=None)
DONE: Final = 200
# The status of what has no statuses of its own and succeeded.


@contextmanager
def noting() -> Iterator[list[Call]]:
    """The calls that are answered inside it, in the order of their answers."""
    calls: list[Call] = []
    token = _NOTED.set(calls)
    try:
        yield calls
    finally:
        _NOTED.reset(token)


def note(
    system: str, method: str, path: str, status: int = DONE, *, step_key: str = "", replayed: bool = False
) -> None:
    """One answered call. `path` must name no host and hold no secret: it is kept for years and shown to readers."""
    calls = _NOTED.get()
    if calls is not None:
        at = datetime.now(UTC)
        calls.append(
            Call(at=at, system=system, method=method, path=path, status=status, step_key=step_key, replayed=replayed)
        )
