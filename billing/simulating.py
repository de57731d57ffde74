"""Recorded assessments judged again under another policy: who would have been asked, who would not, at what price."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from billing.assessing import assess, seen
from billing.models import Frozen
from billing.money import Money
from billing.policy import Policy

SHOWN: Final = 200
# Invoices that an answer names one by one; all of them are counted.


class Shift(Frozen):
    """One invoice that the other policy judges otherwise. `total` is a decimal string in major units of `currency`."""

    key: str
    assessed_at: datetime
    total: str
    currency: str
    rules_then: tuple[str, ...]
    rules_now: tuple[str, ...]
    change_requests_later: int


class Side(Frozen):
    """The invoices that moved one way: how many, for how much per currency, and how many of them were changed later.

    `amounts` are decimal strings by currency. A change request later speaks for a look before, and against going
    without one.
    """

    count: int = 0
    amounts: dict[str, str] = Field(default_factory=dict)
    with_change_requests_later: int = 0
    invoices: tuple[Shift, ...] = ()


class Simulation(Frozen):
    """The answer. `by_rule` counts what each rule would say; `not_judged` are assessments that do not hold all that
    they saw, kept by an older release: they are counted and named, and nobody guesses for them."""

    policy_hash: str
    since: datetime
    judged: int
    automatic_then: int
    automatic_now: int
    by_rule_then: dict[str, int]
    by_rule_now: dict[str, int]
    newly_ask: Side
    no_longer_ask: Side
    not_judged: int = 0
    not_judged_keys: tuple[str, ...] = ()


class Simulating:
    """Takes one recorded assessment after the other; `result` says what came of it."""

    def __init__(self, policy: Policy, since: datetime) -> None:
        self._policy, self._since = policy, since
        self._judged = self._automatic_then = self._automatic_now = 0
        self._then: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._newly, self._no_longer = _Counted(), _Counted()
        self._unjudged: list[str] = []

    def add(self, key: str, at: datetime, body: dict[str, Any], changes_later: int) -> None:
        """`body` is the assessment as it was kept."""
        told = seen(body.get("inputs") or {})
        if told is None:
            self._unjudged.append(key)
            return
        now = assess(self._policy, **told)
        then_rules = tuple(reason["rule"] for reason in body.get("reasons") or [])
        now_rules = tuple(reason.rule for reason in now.reasons)
        self._judged += 1
        self._automatic_then += not then_rules
        self._automatic_now += now.automatic
        self._then.update(then_rules)
        self._now.update(now_rules)
        if bool(then_rules) != bool(now_rules):
            total: Money = told["total"]
            side = self._newly if now_rules else self._no_longer
            side.add(
                total,
                Shift(
                    key=key,
                    assessed_at=at,
                    total=f"{total.major:f}",
                    currency=total.currency,
                    rules_then=then_rules,
                    rules_now=now_rules,
                    change_requests_later=changes_later,
                ),
            )

    def result(self) -> Simulation:
        return Simulation(
            policy_hash=self._policy.content_hash,
            since=self._since,
            judged=self._judged,
            automatic_then=self._automatic_then,
            automatic_now=self._automatic_now,
            by_rule_then=dict(sorted(self._then.items())),
            by_rule_now=dict(sorted(self._now.items())),
            newly_ask=self._newly.side(),
            no_longer_ask=self._no_longer.side(),
            not_judged=len(self._unjudged),
            not_judged_keys=tuple(self._unjudged[:SHOWN]),
        )


class _Counted:
    """One side while it is counted."""

    def __init__(self) -> None:
        self._minor: Counter[str] = Counter()
        self._changed = self._count = 0
        self._shown: list[Shift] = []

    def add(self, total: Money, shift: Shift) -> None:
        self._count += 1
        self._minor[total.currency] += total.minor
        self._changed += bool(shift.change_requests_later)
        if len(self._shown) < SHOWN:
            self._shown.append(shift)

    def side(self) -> Side:
        amounts = {code: f"{Money(minor=minor, currency=code).major:f}" for code, minor in sorted(self._minor.items())}
        return Side(
            count=self._count,
            amounts=amounts,
            with_change_requests_later=self._changed,
            invoices=tuple(self._shown),
        )
