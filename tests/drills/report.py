"""What a drill tells at its end; `make drills` prints one line of the summary per report."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class DrillReport:
    """`faults` by kind and `events` by fate are counted, never assumed; `violations` are sentences with evidence.

    `facts` holds whatever else was measured in this run: words to a figure with its unit.
    """

    drill: str
    seeds: list[int]
    invoices: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
