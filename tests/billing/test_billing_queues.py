"""Who starts work and who does it mean the same queue by it."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import queues
from billing.intent import Commercial, Intent, Line, Motion, Source
from billing.queues import Queue


def intent(motion: Motion, triggered_by: str = "") -> Intent:
    source = Source(event_id="e1", occurred_at=datetime(2026, 11, 1, tzinfo=UTC), scope="s1", triggered_by=triggered_by)
    line = Line(description="Calls", quantity=Decimal(1), unit_price=Decimal(100))
    return Intent(
        key="invoice:s1:2026-10",
        motion=motion,
        customer_id="acme",
        commercial=Commercial(currency="USD", lines=(line,)),
        source=source,
    )


def test_the_main_queue_bears_the_settings_name_and_every_other_one_its_own() -> None:
    names = [queues.name("billhook", queue) for queue in Queue]
    assert names == ["billhook", "billhook-runs", "billhook-jupiter", "billhook-crm", "billhook-mail"]


@pytest.mark.parametrize("base", ["billhook", "billhook-3f", "a-runs-b", "runs"])
def test_a_workflow_finds_the_setting_again_from_whichever_queue_it_runs_on(base: str) -> None:
    assert {queues.base_of(queues.name(base, queue)) for queue in queues.WORKFLOWS} == {base}
    assert not queues.is_of_runs(base)


def test_a_setting_that_ends_like_the_queue_of_runs_is_told() -> None:
    assert queues.is_of_runs("billhook-runs")


@pytest.mark.parametrize(
    ("motion", "triggered_by", "queue"),
    [
        (Motion.USAGE, "", Queue.RUNS),
        (Motion.USAGE, "billing system", Queue.MAIN),
        *((motion, "", Queue.MAIN) for motion in Motion if motion is not Motion.USAGE),
    ],
)
def test_usage_that_nobody_triggered_waits_with_the_runs_and_everything_else_does_not(
    motion: Motion, triggered_by: str, queue: Queue
) -> None:
    assert queues.of_intent(intent(motion, triggered_by)) is queue
