"""What a monthly run would do, counted before it does it: how many invoices, how much, who must look, what changed.

Pure. Subscriptions are told one after the other, those of one customer together, so that what is kept does not grow
with their number: sums, one customer's totals, and lists of a fixed length whose remainder is counted and said.
"""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import Field

from billing.assessment import Assessment
from billing.errors import BadInput, KeyTaken
from billing.intent import Intent, Motion
from billing.models import Frozen
from billing.money import Money
from billing.pace import Pace, Steps
from billing.record import Status
from billing.usage import Skipped

SHOWN: Final = 20
# Customers, invoices and refusals that an answer names one by one: a screenful. All of them are counted.
_UNBILLED: Final = frozenset({Status.CANCELLED, Status.REJECTED})


class Named(Frozen):
    """One subscription, and what there is to say of its month."""

    subscription_id: str
    customer_id: str
    text: str


class Several(Frozen):
    """Subscriptions with something in common: all are counted, the first few named. `amounts` are decimal strings."""

    count: int = 0
    amounts: dict[str, str] = Field(default_factory=dict)
    named: tuple[Named, ...] = ()


class Reasoned(Frozen):
    """Why some subscriptions get no invoice, and how many they are."""

    reason: str
    count: int
    for_example: str


class Change(Frozen):
    """One customer's usage invoices of the month beside those of the month before, as decimal strings."""

    customer_id: str
    before: str
    now: str
    difference: str


class Changes(Frozen):
    """All customers in one currency. `largest` are the largest differences, up or down; `others` differ by less."""

    currency: str
    before: str
    now: str
    difference: str
    up: int
    down: int
    new: int
    gone: int
    same: int
    largest: tuple[Change, ...]
    others: int
    others_difference: str


class RunPlan(Frozen):
    """The answer. `new` are the invoices that the run would start; `asks` those of them that a person must look at, by
    the policy as it stands and the customer's history up to now; `standing` those that an earlier run has started.
    `unbilled` counts subscriptions with usage in months before this one that no run has billed, by month;
    `unbilled_is_all` is false where there are more than were read.
    """

    group: str
    zone: str
    period: str
    month_ends_at: datetime
    is_over: bool
    made_at: datetime
    policy_hash: str
    subscriptions: int
    new: Several
    asks: Several
    asks_by_rule: dict[str, int]
    standing: Several
    skipped: tuple[Reasoned, ...]
    refused: Several
    changes: tuple[Changes, ...]
    pace: Pace
    unbilled: dict[str, int] = Field(default_factory=dict)
    unbilled_is_all: bool = True


@dataclass(frozen=True)
class Standing:
    """An invoice that there is: its motion, what it comes to now, and how it fares; no status before its first step."""

    motion: Motion
    total: Money
    status: Status | None

    @property
    def counts(self) -> bool:
        """Whether it bills something: one that was cancelled or rejected does not."""
        return self.status not in _UNBILLED


@dataclass(frozen=True)
class Month:
    """One subscription's month: what would be billed or why nothing is, and what stands in its place already.

    `assessment` is the policy's of an intent that nothing stands for; `carries` whether earlier recipients gave
    something that the draft is patched with. `outcome` is None where the month does not concern the subscription, of
    which the month before is told all the same.
    """

    subscription_id: str
    customer_id: str
    key: str
    outcome: Intent | Skipped | BadInput | None
    assessment: Assessment | None = None
    carries: bool = False
    standing: Standing | None = None
    before: Standing | None = None


class Planning:
    """Takes one month after the other, each customer's together; the counts are what they come to."""

    def __init__(self) -> None:
        self.subscriptions = 0
        self.new, self.asks, self.standing, self.refused = _Counted(), _Counted(), _Counted(), _Counted()
        self.by_rule: Counter[str] = Counter()
        self.steps: Counter[Steps] = Counter()
        self._skipped: Counter[str] = Counter()
        self._example: dict[str, str] = {}
        self._compared: dict[str, _Compared] = {}
        self._customer = ""
        self._now: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    def add(self, month: Month) -> None:
        """Customers come in an order in which each comes once."""
        if month.customer_id != self._customer:
            self._end_customer()
            self._customer = month.customer_id
        if month.before is not None and month.before.motion is Motion.USAGE and month.before.counts:
            self._before[month.before.total.currency] += month.before.total.minor
        if month.outcome is not None or month.standing is not None:
            self.subscriptions += 1
            self._take(month)

    def _take(self, month: Month) -> None:
        stands, outcome = month.standing, month.outcome
        if stands is not None and stands.motion is not Motion.USAGE:
            taken = KeyTaken(month.key, stands.motion.value, other_motion=True)
            self.refused.add(_named(month, taken.detail))
        elif stands is not None:
            self._take_standing(month, stands)
        elif isinstance(outcome, Skipped):
            self._skipped[outcome.reason] += 1
            self._example.setdefault(outcome.reason, month.subscription_id)
        elif isinstance(outcome, BadInput):
            self.refused.add(_named(month, outcome.detail))
        elif outcome is not None:
            self._take_new(month, outcome.commercial.total)

    def _take_standing(self, month: Month, stands: Standing) -> None:
        words = f"{stands.total}, {stands.status.value if stands.status else 'not begun'}"
        self.standing.add(_named(month, words), stands.total if stands.counts else None)
        if stands.counts:
            self._now[stands.total.currency] += stands.total.minor

    def _take_new(self, month: Month, total: Money) -> None:
        reasons = month.assessment.reasons if month.assessment else ()
        self.new.add(_named(month, str(total)), total)
        self._now[total.currency] += total.minor
        self.steps[Steps(carries=month.carries, asks=bool(reasons))] += 1
        if reasons:
            self.asks.add(_named(month, " ".join(reason.text for reason in reasons)), total)
            self.by_rule.update(reason.rule for reason in reasons)

    def _end_customer(self) -> None:
        for currency in self._now.keys() | self._before.keys():
            compared = self._compared.setdefault(currency, _Compared(currency))
            compared.add(self._customer, self._before[currency], self._now[currency])
        self._now.clear()
        self._before.clear()

    def changes(self) -> tuple[Changes, ...]:
        """Once all were told."""
        self._end_customer()
        return tuple(compared.told() for _, compared in sorted(self._compared.items()))

    def skipped(self) -> tuple[Reasoned, ...]:
        """The commonest reason first."""
        return tuple(
            Reasoned(reason=reason, count=count, for_example=self._example[reason])
            for reason, count in sorted(self._skipped.items(), key=lambda one: (-one[1], one[0]))
        )


def _named(month: Month, text: str) -> Named:
    return Named(subscription_id=month.subscription_id, customer_id=month.customer_id, text=text)


class _Counted:
    """Several, while they are counted."""

    def __init__(self) -> None:
        self._count = 0
        self._minor: Counter[str] = Counter()
        self._named: list[Named] = []

    def add(self, one: Named, total: Money | None = None) -> None:
        self._count += 1
        if total is not None:
            self._minor[total.currency] += total.minor
        if len(self._named) < SHOWN:
            self._named.append(one)

    def told(self) -> Several:
        return Several(count=self._count, amounts=_amounts(self._minor), named=tuple(self._named))


class _Compared:
    """Two months of one currency, while customers are told."""

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._before = self._now = 0
        self._kinds: Counter[str] = Counter()
        self._largest: list[tuple[int, str, int, int]] = []

    def add(self, customer_id: str, before: int, now: int) -> None:
        self._before += before
        self._now += now
        self._kinds[_kind(before, now)] += 1
        if before != now:
            heapq.heappush(self._largest, (abs(now - before), customer_id, before, now))
            if len(self._largest) > SHOWN:
                heapq.heappop(self._largest)

    def told(self) -> Changes:
        largest = sorted(self._largest, key=lambda one: (-one[0], one[1]))
        shown = sum(now - before for _, _, before, now in largest)
        differ = sum(self._kinds.values()) - self._kinds["same"]
        return Changes(
            currency=self._currency,
            before=self._text(self._before),
            now=self._text(self._now),
            difference=self._text(self._now - self._before),
            **{kind: self._kinds[kind] for kind in ("up", "down", "new", "gone", "same")},
            largest=tuple(self._change(customer, before, now) for _, customer, before, now in largest),
            others=differ - len(largest),
            others_difference=self._text(self._now - self._before - shown),
        )

    def _change(self, customer_id: str, before: int, now: int) -> Change:
        texts = [self._text(minor) for minor in (before, now, now - before)]
        return Change(customer_id=customer_id, before=texts[0], now=texts[1], difference=texts[2])

    def _text(self, minor: int) -> str:
        return f"{Money(minor=minor, currency=self._currency).major:f}"


def _kind(before: int, now: int) -> str:
    if not before and now:
        return "new"
    if before and not now:
        return "gone"
    return "up" if now > before else "down" if now < before else "same"


def _amounts(minor: Mapping[str, int]) -> dict[str, str]:
    return {code: f"{Money(minor=found, currency=code).major:f}" for code, found in sorted(minor.items())}
