"""Which drills there are, and how a wish of so many years, invoices and minutes becomes runs of them.

A run is one process: one drill with one seed. A drill's long version is the function `drill` of its module, async or
not; it is given those of `years`, `invoices`, `minutes`, `seed` and `cluster` that it takes.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    years: int = 20
    invoices: int = 1000
    minutes: float = 5.0
    seed: int = 1
    cluster: bool = False


@dataclass(frozen=True)
class Run:
    """One process. `again` is the command line that repeats it alone."""

    drill: str
    arguments: dict[str, Any]
    again: str

    @property
    def seed(self) -> int:
        return int(self.arguments["seed"])


@dataclass(frozen=True)
class Drill:
    """`share` of the wished invoices is this drill's; `yearly` ones run once per simulated year, two at a time."""

    name: str
    proves: str
    share: float = 1.0
    yearly: bool = False
    parameters: frozenset[str] = field(default=frozenset({"years", "invoices", "minutes", "seed"}))

    @property
    def module(self) -> str:
        return f"tests.drills.{self.name}"

    @property
    def exists(self) -> bool:
        return find_spec(self.module) is not None

    def function(self) -> Callable[..., Any]:
        """The long version. Imports the module."""
        found: Callable[..., Any] = import_module(self.module).drill
        return found

    def runs(self, wish: Wish) -> list[Run]:
        """One run, or for a yearly drill one per year, each with a seed of its own."""
        if not self.yearly:
            return [self._run(wish, years=wish.years, invoices=round(wish.invoices * self.share), seed=wish.seed)]
        each = max(1, round(wish.invoices * self.share / wish.years))
        return [self._run(wish, years=1, invoices=each, seed=wish.seed + year) for year in range(wish.years)]

    def _run(self, wish: Wish, *, years: int, invoices: int, seed: int) -> Run:
        arguments: dict[str, Any] = {"years": years, "invoices": invoices, "minutes": wish.minutes, "seed": seed}
        arguments["cluster"] = wish.cluster
        # The same wish leads to the same run again: for one year of a yearly drill, its own share of the invoices.
        wished = round(invoices / self.share) if self.yearly else wish.invoices
        words = f"--only {self.name} --seed {seed} --years {years} --invoices {wished} --minutes {wish.minutes:g}"
        words += " --cluster" * wish.cluster
        return Run(self.name, arguments, f'make drills ARGS="{words}"')


DRILLS: Final = (
    Drill("simulation", "months of random billing in virtual time, under every fault switch", yearly=True),
    Drill("crash", "the worker dies before and after every activity", share=0.2),
    Drill("replay", "every recorded history replays on today's workflow"),
    Drill("storm", "every event five times, shuffled, a tenth forged, Temporal gone in the middle", share=0.5),
    Drill("kill", "worker, API, sandbox and Temporal killed at random while invoices run", share=0.2),
)


def called(drill: Drill, arguments: dict[str, Any]) -> Any:
    """The drill's answer to those of `arguments` that it takes: a report, or what must be awaited for it."""
    function = drill.function()
    taken = inspect.signature(function).parameters
    return function(**{name: value for name, value in arguments.items() if name in taken})
