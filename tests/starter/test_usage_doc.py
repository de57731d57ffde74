"""docs/usage.md: what it tells people to send is taken, and what it says a plan comes to is what it comes to."""

import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from billing.intent import Intent
from billing.metering import UsageEvent
from billing.plans import Subscription, SubscriptionBody
from billing.usage import Metered, bill, over_included, overage
from starter.usage_file import event_of, pieces, read_header, read_json

DOC = (Path(__file__).parents[2] / "docs" / "usage.md").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
USED = re.compile(r"\| ([0-9,]+) (\w+) \| ([0-9.]+) \|$", re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)


def subscription() -> Subscription:
    body = SubscriptionBody.model_validate(json.loads(blocks("json")[0]))
    return Subscription(id="sub_4821", **body.model_dump())


def test_every_example_of_an_event_is_one() -> None:
    assert UsageEvent.of(json.loads(blocks("json")[1]))
    lines = pieces(io.BytesIO(blocks("csv")[0].encode()))
    read = read_header(next(lines))
    found = [event_of(line, read) for line in lines]
    found += [event_of(line, read_json) for line in pieces(io.BytesIO(blocks("jsonl")[0].encode()))]
    meters = {charge.meter for charge in subscription().charges}
    assert [isinstance(one, UsageEvent) and one.meter in meters for one in found] == [True] * 3


def test_the_table_of_models_comes_to_what_it_says() -> None:
    plan = subscription()
    rows = USED.findall(DOC)
    assert [meter for _, meter, _ in rows] == ["seats", "calls", "storage", "minutes"]
    for quantity, meter, total in rows:
        used, charge = Decimal(quantity.replace(",", "")), plan.charge(meter)
        assert charge is not None
        alone = plan.model_copy(update={"charges": (charge,)})
        built = bill(alone, "2026-10", {meter: Metered(used=used)}, NOW)
        if meter == "minutes":
            built = overage(plan, charge, "2026-10", over_included(charge, used), NOW) or built
        assert isinstance(built, Intent)
        assert (meter, str(built.commercial.total.major)) == (meter, total)
