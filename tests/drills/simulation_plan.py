"""What happens in a simulated company-year, drawn from its seed alone: who is billed when, and under which faults."""

import random
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tests.drills.report import SWITCHES

DAYS: Final = 365
STEP_DAYS: Final = 5
STEPS: Final = DAYS // STEP_DAYS
CUSTOMERS: Final = (
    ("anvil", "standard", "USD"),
    ("brook", "standard", "EUR"),
    ("citadel", "enterprise", "USD"),
    ("dojo", "enterprise", "JPY"),
    ("emir", "standard", "KWD"),
    ("fjord", "standard", "EUR"),
)
_AMOUNTS: Final = {
    "USD": ("1250.00", "24999.99", "25000.00", "25000.01", "48000.50"),
    "EUR": ("980.10", "12000.00", "31000.00"),
    "JPY": ("150000", "24000", "990000"),
    "KWD": ("12.345", "7500.001", "26000.000"),
}
_PERIOD_START: Final = 2027


@dataclass(frozen=True)
class Trigger:
    """One trigger: its motion, its body, and the key that it must get."""

    motion: str
    body: dict[str, Any]
    key: str


@dataclass(frozen=True)
class Step:
    """`STEP_DAYS` of the year: what is triggered, which switches are on, how wrong the API's clock goes."""

    triggers: tuple[Trigger, ...]
    faults: dict[str, Any]
    skew_minutes: int


def drawn(seed: int, invoices: int, steps: int = STEPS) -> list[Step]:
    """The plan of a year; the same seed draws the same plan."""
    draw = random.Random(seed)
    at = sorted(draw.randrange(max(1, steps - 4)) for _ in range(invoices))
    triggers = [_trigger(seed, number, step, draw) for number, step in enumerate(at)]
    planned = []
    for step in range(steps):
        mine = tuple(one for one, when in zip(triggers, at, strict=True) if when == step)
        planned.append(Step(mine, _faults(seed, step, draw), draw.choice([0, 0, 0, -45, 90, -600, 1440])))
    return planned


def _trigger(seed: int, number: int, step: int, draw: random.Random) -> Trigger:
    customer, _, currency = draw.choice(CUSTOMERS)
    name, amount = f"s{seed}n{number}", draw.choice(_AMOUNTS[currency])
    month = 1 + step * STEP_DAYS // 31 % 12
    body: dict[str, Any] = {
        "event_id": f"evt_{name}",
        "occurred_at": "2026-11-20T09:00:00Z",
        "customer_id": customer,
        "currency": currency,
        "payment_terms": draw.choice(["due_on_receipt", "net_14", "net_30"]),
    }
    if draw.random() < 0.3:
        body["discount"] = {"type": "percent", "value": draw.choice(["2.5", "10"])}
    if draw.random() < 0.2:
        body["due_date"] = date(_PERIOD_START + 1, month, 28).isoformat()
    if draw.random() < 0.5:
        body["deal_id"] = f"deal_{name}"
    lines = [{"description": "work", "quantity": "1", "unit_price": amount}]
    period = f"{_PERIOD_START}-{month:02d}"
    of_motion: dict[str, tuple[dict[str, Any], str]] = {
        "milestone": (
            {"project_id": f"p_{name}", "milestone_id": "m1", "description": "Milestone", "amount": amount},
            f"invoice:p_{name}:m1",
        ),
        "project": ({"project_id": f"p_{name}", "line_items": lines}, f"invoice:p_{name}:completed"),
        "quote": ({"quote_id": f"q_{name}", "line_items": lines * 2}, f"invoice:q_{name}"),
        "usage": (
            {"subscription_id": f"s_{name}", "period": period, "line_items": lines},
            f"invoice:s_{name}:{period}",
        ),
        "overage": (
            {"subscription_id": f"s_{name}", "period": period, "meter": "calls", "quantity": "1234", "unit_price": "2"},
            f"invoice:s_{name}:overage:{period}:calls",
        ),
    }
    motion = draw.choice(sorted(of_motion))
    own, key = of_motion[motion]
    return Trigger(motion, body | own, key)


def _faults(seed: int, step: int, draw: random.Random) -> dict[str, Any]:
    """Two to four of the switches, each turn about so that a year uses every one; now and then a calm."""
    if draw.random() < 0.15:
        return {"seed": seed}
    chosen = {SWITCHES[step % len(SWITCHES)], *draw.sample(SWITCHES, draw.randint(1, 3))}
    values: dict[str, Any] = {
        "latency": ("latency_ms", 3),
        "error": ("error_rate", 0.2),
        "rate_limit": ("rate_limit_rate", 0.2),
        "drop_before": ("drop_before_rate", 0.2),
        "drop_after": ("drop_after_rate", 0.25),
        "webhook_duplicate": ("webhook_duplicate_rate", 0.4),
        "webhook_delay": ("webhook_delay_ms", 120),
        "webhook_shuffle": ("webhook_shuffle", True),
        "webhook_drop": ("webhook_drop_rate", draw.choice([0.3, 1.0])),
        "webhook_forge": ("webhook_forge_rate", 0.4),
    }
    return {"seed": seed * 1000 + step, **dict(values[name] for name in sorted(chosen))}
