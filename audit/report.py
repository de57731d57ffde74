"""What an audit found: per invariant of the design how much was looked at, and every violation with its evidence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """`subject` is the key, mail or event that breaks the rule; `evidence` the facts that show it, in words."""

    subject: str
    evidence: str
    next_step: str = ""


@dataclass(frozen=True)
class Check:
    """One invariant. `unchecked` says what could not be looked at, and why; empty where all was.

    `in_flight` counts what was left alone because it is still in motion. `notes` are facts that break no rule and that
    a person should know of, such as an approved invoice that somebody decided to close without billing it.
    """

    invariant: str
    title: str
    items: int
    violations: tuple[Violation, ...] = ()
    unchecked: str = ""
    in_flight: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditReport:
    checks: tuple[Check, ...]

    @property
    def violations(self) -> list[tuple[str, Violation]]:
        """(invariant, violation), in the order of the invariants."""
        return [(check.invariant, found) for check in self.checks for found in check.violations]

    @property
    def not_wholly(self) -> list[str]:
        """The invariants of which something could not be looked at."""
        return [check.invariant for check in self.checks if check.unchecked]

    @property
    def is_clean(self) -> bool:
        return not self.violations
