"""One line of what the doctor says."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`different` and `absent` compare the live API with what the client needs; `warning` alone does not fail."""

    OK = "ok"
    CONFIRMED = "confirmed"
    WARNING = "warning"
    ABSENT = "absent"
    DIFFERENT = "different"
    FAILED = "failed"

    @property
    def is_sound(self) -> bool:
        return self in {State.OK, State.CONFIRMED, State.WARNING}


@dataclass(frozen=True)
class Finding:
    item: str
    state: State
    text: str
    next_step: str = ""


def ok(item: str, text: str) -> Finding:
    return Finding(item, State.OK, text)


def warning(item: str, text: str, next_step: str) -> Finding:
    return Finding(item, State.WARNING, text, next_step)


def failed(item: str, text: str, next_step: str) -> Finding:
    return Finding(item, State.FAILED, text, next_step)
