"""What one invariant has seen so far, while the books pass by page after page."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from audit.report import Check, Violation

_SHOWN: Final = 5
# Subjects that a note names before it only counts.


@dataclass
class Look:
    """`next_step` is what a person does about a violation. What was looked at is counted once, however closely."""

    next_step: str
    subjects: set[str] = field(default_factory=set)
    in_flight: int = 0
    violations: list[Violation] = field(default_factory=list)
    unreached: Counter[str] = field(default_factory=Counter)
    noted: dict[str, list[str]] = field(default_factory=dict)

    def expect(self, holds: bool, subject: str, evidence: str) -> bool:
        """`subject` was looked at; a violation where it does not hold."""
        self.subjects.add(subject)
        if not holds:
            self.violations.append(Violation(subject, evidence, self.next_step))
        return holds

    def missing(self, source: str) -> None:
        """Something that could not be looked at for want of `source`."""
        self.unreached[source] += 1

    def note(self, words: str, subject: str) -> None:
        self.noted.setdefault(words, []).append(subject)

    def result(self, invariant: str, title: str) -> Check:
        unchecked = "; ".join(f"{source}: {count} not compared" for source, count in sorted(self.unreached.items()))
        return Check(
            invariant=invariant,
            title=title,
            items=len(self.subjects),
            violations=tuple(self.violations),
            unchecked=unchecked,
            in_flight=self.in_flight,
            notes=tuple(_note(words, subjects) for words, subjects in sorted(self.noted.items())),
        )


def _note(words: str, subjects: list[str]) -> str:
    more = f" and {len(subjects) - _SHOWN} more" if len(subjects) > _SHOWN else ""
    return f"{words}: {', '.join(subjects[:_SHOWN])}{more}"
