"""From figures to the geometry of a chart: pure, in units of the drawing's own box; the template draws it as SVG.

Drawn on the server because the desk allows no inline style and needs no script; every chart has its table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

WIDTH: Final = 420
WIDE: Final = 1160
# A third of a page, and all of it: drawn one to one, so that a chart's words are as large as those around it.
HEIGHT: Final = 240
LEFT: Final = 48
BASE: Final = HEIGHT - 28
TOP: Final = 12
_STEPS: Final = (1, 2, 4, 5, 10)
_LABEL: Final = 60
# The width of a date with air around it.
_GAP: Final = 0.22
# Of each column's place.


@dataclass(frozen=True)
class Block:
    """A part of a column; `series` counts from 0 and picks the colour."""

    series: int
    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True)
class Tick:
    """A line across, or a label below, at `at`."""

    at: float
    label: str


@dataclass(frozen=True)
class Columns:
    """Stacked columns over an axis of time."""

    blocks: tuple[Block, ...]
    across: tuple[Tick, ...]
    below: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


@dataclass(frozen=True)
class Share:
    """One bar of several that lie below each other; `part` is between 0 and 1, `look` the classes of its colour."""

    label: str
    count: int
    part: float
    words: str
    look: str = ""


def stacked(
    labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], unit: str = "", width: int = WIDTH
) -> Columns:
    """A column per label, its parts from the bottom up in the order of `series`."""
    top = nice_top(max(map(sum, zip(*(values for _, values in series), strict=True)), default=0))
    step = (width - LEFT) / max(1, len(labels))
    blocks: list[Block] = []
    for place, label in enumerate(labels):
        parts = [(name, values[place]) for name, values in series]
        blocks += _column(parts, LEFT + place * step, step, top, f"{label}: {{}}{unit} {{}}")
    return Columns(tuple(blocks), _across(top, unit), _below(labels, step, width), width)


def share(label: str, count: int, whole: int, look: str = "") -> Share:
    """A bar against `whole`."""
    return Share(label, count, count / whole if whole else 0.0, percent(count, whole), look)


def percent(count: int, whole: int) -> str:
    """`12 %`; of nothing there is no share."""
    return f"{round(100 * count / whole)} %" if whole else "\N{EM DASH}"


def nice_top(most: float) -> float:
    """The end of an axis: 1, 2, 4 or 5 times a power of ten, not below `most`; each parts well in four or five."""
    if most <= 0:
        return 1.0
    power = 10.0 ** floor(log10(most))
    return float(next(step * power for step in _STEPS if step * power >= most))


def span(seconds: float) -> str:
    """A duration in its largest sensible unit: `45 s`, `12 min`, `3.5 h`, `2.1 d`."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {name}"
    return f"{seconds:.0f} s"


def _column(parts: Sequence[tuple[str, float]], x: float, step: float, top: float, words: str) -> list[Block]:
    y, found = float(BASE), list[Block]()
    for number, (name, value) in enumerate(parts):
        tall = (BASE - TOP) * value / top
        y -= tall
        if tall:
            said = words.format(f"{value:.3g}" if value % 1 else f"{value:g}", name)
            found.append(Block(number, _r(x + step * _GAP / 2), _r(y), _r(step * (1 - _GAP)), _r(tall), said))
    return found


def _across(top: float, unit: str) -> tuple[Tick, ...]:
    parts = 4 if f"{top:e}"[0] in "24" else 5
    if not unit and top < parts:
        parts = int(top)
    return tuple(
        Tick(_r(BASE - (BASE - TOP) * part / parts), f"{top * part / parts:g}{unit}") for part in range(parts + 1)
    )


def _below(labels: Sequence[str], step: float, width: int) -> tuple[Tick, ...]:
    every = max(1, ceil(len(labels) * _LABEL / (width - LEFT)))
    return tuple(
        Tick(_r(LEFT + place * step + step / 2), label) for place, label in enumerate(labels) if place % every == 0
    )


def _r(value: float) -> float:
    return round(value, 2)
