"""Around every call to an outside system: how long it took, how it ended, and its span where traces are on.

How a failure counts stands on the failure itself (`outcome`): `refused` is its own fault or ours and stays, `limited`
was too much at once, `failed` and `unheard` are the other side's, `unusable` is an answer that makes no sense.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from telemetry import metrics, tracing


@contextmanager
def watched(system: str, method: str, path: str, step_key: str = "") -> Iterator[None]:
    """`system` is a word of ours, `path` names no host and holds no secret."""
    began, outcome = time.perf_counter(), "cancelled"
    try:
        with tracing.calling(system, method, path, step_key):
            yield
        outcome = "ok"
    except Exception as error:
        outcome = getattr(error, "outcome", "failed")
        raise
    finally:
        metrics.CALLS.labels(system, outcome).observe(time.perf_counter() - began)
