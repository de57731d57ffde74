"""The names of the queues that work waits on, in one place, so that who starts work and who does it agree.

A monthly run waits on a queue of its own, so that nothing of it stands before a milestone or a person's answer. Calls
to an outside system wait on that system's queue, where the server holds its rate limit over all workers.
"""

from enum import StrEnum
from typing import Final

from billing.intent import Intent, Motion


class Queue(StrEnum):
    """What waits there. MAIN: workflows of people, milestones and everything but runs, and what is told of anybody's
    answer; RUNS: a run and its invoices; the others: calls to that outside system, whoever makes them."""

    MAIN = "main"
    RUNS = "runs"
    JUPITER = "jupiter"
    CRM = "crm"
    MAIL = "mail"


WORKFLOWS: Final = (Queue.MAIN, Queue.RUNS)


def name(base: str, queue: Queue) -> str:
    """`base` is the setting `task_queue`; the main queue bears its name unchanged."""
    return base if queue is Queue.MAIN else f"{base}-{queue.value}"


def base_of(task_queue: str) -> str:
    """The setting again, from the name of a queue that workflows wait on."""
    return task_queue.removesuffix(f"-{Queue.RUNS.value}")


def is_of_runs(task_queue: str) -> bool:
    """Whether runs wait there. No setting may end so: `base_of` could not tell the two apart."""
    return base_of(task_queue) != task_queue


def of_intent(intent: Intent) -> Queue:
    """Where an invoice's workflow waits. Usage that nobody triggered was built by a run; what a person or a system
    triggers by itself says who, and goes with everything else."""
    built_by_run = intent.motion is Motion.USAGE and not intent.source.triggered_by
    return Queue.RUNS if built_by_run else Queue.MAIN
