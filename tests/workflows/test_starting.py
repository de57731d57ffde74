"""Where an invoice waits is decided when it starts, in one way for all who start one."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.intent import Commercial, Intent, Line, Motion, Source
from starter import client as temporal


def intent(motion: Motion, triggered_by: str = "") -> Intent:
    name = uuid.uuid4().hex[:8]
    line = Line(description="Calls", quantity=Decimal(1), unit_price=Decimal(100))
    return Intent(
        key=f"invoice:{name}:2026-10",
        motion=motion,
        customer_id="acme",
        commercial=Commercial(currency="USD", lines=(line,)),
        source=Source(
            event_id=name, occurred_at=datetime(2026, 11, 1, tzinfo=UTC), scope=name, triggered_by=triggered_by
        ),
    )


@pytest.mark.parametrize(
    ("motion", "triggered_by", "of_run", "queue", "rank"),
    [
        (Motion.MILESTONE, "", False, "{}", 3),
        (Motion.USAGE, "billing system", False, "{}", 3),
        (Motion.USAGE, "", False, "{}-runs", 5),
        (Motion.USAGE, "run", True, "{}-runs", 5),
    ],
)
async def test_a_runs_invoice_waits_behind_everybody_on_the_queue_of_runs(  # noqa: PLR0917 - a table
    temporal_address: str, motion: Motion, triggered_by: str, of_run: bool, queue: str, rank: int
) -> None:
    client = await Client.connect(temporal_address, data_converter=pydantic_data_converter)
    base, wanted = f"billhook-{uuid.uuid4().hex[:8]}", intent(motion, triggered_by)
    assert await temporal.start_invoice(client, wanted, base, of_run=of_run)
    assert not await temporal.start_invoice(client, wanted, base)
    started = await client.get_workflow_handle(wanted.key).describe()
    info = started.raw_description.workflow_execution_info
    assert started.task_queue == queue.format(base)
    assert (info.priority.priority_key, info.priority.fairness_key) == (rank, "acme")
