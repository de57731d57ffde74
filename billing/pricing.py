"""From units to lines: the arithmetic of the charge models, exact until a line is rounded, and then once.

Units are thought of in a row, the first one used first. A slice is a run of them that has one price, so a month that is
billed in two parts costs what it would have cost in one, but for the rounding of a line that is cut in two.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from billing.intent import Line
from billing.metering import spelled
from billing.money import line_minor
from billing.plans import Charge, Model, Tier
from billing.provider import as_sent


@dataclass(frozen=True)
class Slice:
    """The units after `low` up to `high` inclusive, at the price of `tier`; with `begins_tier` its flat fee is owed."""

    tier: Tier
    low: Decimal
    high: Decimal
    begins_tier: bool

    @property
    def quantity(self) -> Decimal:
        return self.high - self.low


def slices(charge: Charge, low: Decimal, high: Decimal) -> list[Slice]:
    """The billable units after `low` up to `high`, cut where their price changes; none for none."""
    if high <= low:
        return []
    if charge.model is Model.VOLUME:
        return [Slice(_tier_of(charge, high), low, high, begins_tier=True)]
    return list(_graduated(charge.price_tiers, low, high))


def _tier_of(charge: Charge, unit: Decimal) -> Tier:
    return next(tier for tier in charge.price_tiers if tier.end is None or unit <= tier.end)


def _graduated(tiers: Iterable[Tier], low: Decimal, high: Decimal) -> Iterator[Slice]:
    begins = Decimal(0)
    for tier in tiers:
        first, last = max(begins, low), high if tier.end is None else min(tier.end, high)
        if first < last:
            yield Slice(tier, first, last, begins_tier=first == begins)
        if tier.end is None or tier.end >= high:
            return
        begins = tier.end


def lines_of(charge: Charge, found: Iterable[Slice], words: str, currency: str) -> Iterator[Line]:
    """A line per slice, and one per flat fee that is owed. `words` say whose units and how many they were."""
    for one in found:
        where = f", {_tier_words(charge, one)}" if charge.tiers else ""
        yield _line(f"{words}{where}", one.quantity, Decimal(one.tier.unit_price), currency)
        if one.begins_tier and one.tier.fee:
            yield _line(f"{words}{where}, flat fee", Decimal(1), one.tier.fee, currency)


def _tier_words(charge: Charge, one: Slice) -> str:
    if charge.model is Model.VOLUME:
        return "all at the price over the last step" if one.tier.end is None else f"all at the price up to {_end(one)}"
    return f"units over {spelled(one.low)} up to {spelled(one.high)}"


def _end(one: Slice) -> str:
    return spelled(one.tier.end or Decimal(0))


def _line(words: str, quantity: Decimal, price: Decimal, currency: str) -> Line:
    """As the invoicing API takes it: a price that no minor unit holds stands in the words, beside quantity 1."""
    return as_sent(Line(description=words, quantity=quantity, unit_price=price), currency)


def minor_of(lines: Iterable[Line], currency: str) -> int:
    """What lines come to, in minor units."""
    return sum(line_minor(line.quantity, line.unit_price, currency) for line in lines)
