"""What a drill tells at its end; `make drills` prints one line of the summary per report."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from sandbox.faults import Faults

SWITCHES: Final = tuple(
    name.removesuffix("_rate").removesuffix("_ms")
    for name in Faults.model_fields
    if name not in {"seed", "retry_after_s"}
)
"""The sandbox's fault switches, as it counts them; `retry_after_s` only says what a rate limit answers."""


@dataclass
class DrillReport:
    """`faults` by kind and `events` by fate are counted, never assumed; `violations` are sentences with evidence.

    A switch of the sandbox is counted in `faults` as the sandbox counts it (`drop_after`), whatever else was done to
    the system under words of the drill's own (`worker killed`). `facts` holds whatever else was measured in this run:
    words to a figure with its unit.
    """

    drill: str
    seeds: list[int]
    invoices: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> str:
        # Field by field: asdict() rebuilds a Counter from its pairs, and counts those.
        return json.dumps({one.name: getattr(self, one.name) for one in dataclasses.fields(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError or TypeError on what `to_json` did not write."""
        found = json.loads(text)
        return cls(**{**found, "faults": Counter(found["faults"]), "events": Counter(found["events"])})

    @classmethod
    def merged(cls, reports: Iterable["DrillReport"]) -> Self:
        """One report of several runs of one drill; a fact that several state is kept for each, in their order."""
        first, *others = reports
        whole = cls(first.drill, [])
        for one in (first, *others):
            whole.seeds += one.seeds
            whole.invoices += one.invoices
            whole.faults += one.faults
            whole.events += one.events
            whole.violations += one.violations
            whole.seconds += one.seconds
            for name, value in one.facts.items():
                whole.facts[name] = f"{whole.facts[name]}, {value}" if name in whole.facts else value
        return whole
