"""Two commercial contents side by side: what a recipient asks for beside what stands, or one version beside another.

Lines are matched as a person would: the same line first, then one with the same words, then one at the same price, and
at last the only one that is left with the only one that is left. Amounts are decimal strings in major units; effects
are proposed less present, so that they add up to the change of the total.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Final

from billing.intent import Commercial, Line
from billing.models import Frozen
from billing.money import Money, line_minor, plain_text
from billing.proposals import Part, Proposal, Refused
from billing.untrusted import ShownLine


class Difference(StrEnum):
    """What became of a line or a term."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


class LineSide(Frozen):
    """One line as it is billed: quantity, unit price and the amount rounded once."""

    description: ShownLine
    quantity: str
    unit_price: str
    amount: str


class DiscountSide(Frozen):
    """`off` is what it takes off the subtotal."""

    type: str
    value: str
    off: str


class LineRow(Frozen):
    difference: Difference
    present: LineSide | None
    proposed: LineSide | None
    effect: str


class DiscountRow(Frozen):
    difference: Difference
    present: DiscountSide | None
    proposed: DiscountSide | None
    effect: str


class TermsRow(Frozen):
    difference: Difference
    present: str
    proposed: str


class DateRow(Frozen):
    """A due date that is empty follows from the terms."""

    difference: Difference
    present: date | None
    proposed: date | None


class SumRow(Frozen):
    """`effect_minor` is the effect in minor units of the currency."""

    present: str
    proposed: str
    effect: str
    effect_minor: int


class Comparison(Frozen):
    """`parts` are those of the proposal that can be accepted, and `refused` those that cannot, with the cause."""

    currency: str
    line_items: tuple[LineRow, ...]
    discount: DiscountRow
    payment_terms: TermsRow
    due_date: DateRow
    subtotal: SumRow
    total: SumRow
    parts: tuple[Part, ...] = ()
    refused: tuple[Refused, ...] = ()


def compare(present: Commercial, proposal: Proposal) -> Comparison:
    """What accepting everything that can be accepted would make of `present`, of which `proposal` was read."""
    told = {"parts": proposal.parts, "refused": proposal.refused}
    return side_by_side(present, present.patched(proposal.patch)).model_copy(update=told)


def side_by_side(present: Commercial, proposed: Commercial) -> Comparison:
    """Two contents of one invoice, so of one currency."""
    currency = present.currency
    return Comparison(
        currency=currency,
        line_items=tuple(_line_row(*pair, currency) for pair in _pairs(present.lines, proposed.lines)),
        discount=_discount_row(present, proposed),
        payment_terms=TermsRow(
            difference=_difference(present.payment_terms, proposed.payment_terms),
            present=present.payment_terms,
            proposed=proposed.payment_terms,
        ),
        due_date=DateRow(
            difference=_difference(present.due_date, proposed.due_date),
            present=present.due_date,
            proposed=proposed.due_date,
        ),
        subtotal=_sum_row(present.subtotal_minor, proposed.subtotal_minor, currency),
        total=_sum_row(present.total.minor, proposed.total.minor, currency),
    )


_Pair = tuple[Line | None, Line | None]
_SAMENESS: Final[tuple[Callable[[Line], object], ...]] = (
    lambda line: line,
    lambda line: " ".join(line.description.casefold().split()),
    lambda line: (line.quantity, line.unit_price),
)


def _pairs(before: tuple[Line, ...], after: tuple[Line, ...]) -> list[_Pair]:
    """In the order of `before`; what is added stands where it stands in `after`."""
    found = _matches(before, after)
    taken, pairs, place = set(found.values()), list[_Pair](), 0
    for index, line in enumerate(before):
        match = found.get(index)
        if match is not None:
            pairs += [(None, after[at]) for at in range(place, match) if at not in taken]
            place = max(place, match + 1)
        pairs.append((line, None if match is None else after[match]))
    return pairs + [(None, after[at]) for at in range(place, len(after)) if at not in taken]


def _matches(before: tuple[Line, ...], after: tuple[Line, ...]) -> dict[int, int]:
    """Places in `before` to places in `after`, each at most once."""
    found: dict[int, int] = {}
    for same in _SAMENESS:
        free = _places(same, after, set(found.values()))
        for index, line in enumerate(before):
            if index not in found and (places := free.get(same(line))):
                found[index] = places.popleft()
    left = [index for index in range(len(before)) if index not in found]
    right = [index for index in range(len(after)) if index not in found.values()]
    return found | {left[0]: right[0]} if len(left) == len(right) == 1 else found


def _places(same: Callable[[Line], object], lines: Iterable[Line], taken: set[int]) -> dict[object, deque[int]]:
    places: defaultdict[object, deque[int]] = defaultdict(deque)
    for index, line in enumerate(lines):
        if index not in taken:
            places[same(line)].append(index)
    return places


def _line_row(present: Line | None, proposed: Line | None, currency: str) -> LineRow:
    return LineRow(
        difference=_difference(present, proposed),
        present=None if present is None else line_side(present, currency),
        proposed=None if proposed is None else line_side(proposed, currency),
        effect=major(_amount(proposed, currency) - _amount(present, currency), currency),
    )


def line_side(line: Line, currency: str) -> LineSide:
    """`line` with what it comes to."""
    return LineSide(
        description=line.description,
        quantity=plain_text(line.quantity),
        unit_price=plain_text(line.unit_price),
        amount=major(_amount(line, currency), currency),
    )


def _discount_row(present: Commercial, proposed: Commercial) -> DiscountRow:
    return DiscountRow(
        difference=_difference(present.discount, proposed.discount),
        present=discount_side(present),
        proposed=discount_side(proposed),
        effect=major(present.discount_minor - proposed.discount_minor, present.currency),
    )


def discount_side(content: Commercial) -> DiscountSide | None:
    """The discount of `content` with what it comes to; None where there is none."""
    if content.discount is None:
        return None
    off = major(content.discount_minor, content.currency)
    return DiscountSide(type=content.discount.type.value, value=plain_text(content.discount.value), off=off)


def _sum_row(present: int, proposed: int, currency: str) -> SumRow:
    effect = proposed - present
    shown = (major(minor, currency) for minor in (present, proposed, effect))
    return SumRow(**dict(zip(("present", "proposed", "effect"), shown, strict=True)), effect_minor=effect)


def _difference(present: object, proposed: object) -> Difference:
    if present == proposed:
        return Difference.SAME
    if present is None:
        return Difference.ADDED
    return Difference.REMOVED if proposed is None else Difference.CHANGED


def _amount(line: Line | None, currency: str) -> int:
    return 0 if line is None else line_minor(line.quantity, line.unit_price, currency)


def major(minor: int, currency: str) -> str:
    """Minor units as a decimal string."""
    return f"{Money(minor=minor, currency=currency).major:f}"
