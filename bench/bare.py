"""The baseline: a workflow with as many activities and signals as an invoice's, which do nothing."""

import argparse
import asyncio
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import PollerBehaviorAutoscaling, Worker

BEFORE_SIGNALS: Final = 3
# create, issue, deliver
AFTER_SIGNAL: Final = (0, 1, 3)
# after viewed: none; amended: sync; approved: read back, CRM, accounting
LOCAL: Final = 3
# assess, record viewed, record billed
QUEUE: Final = "bare"


@activity.defn
async def nothing(number: int) -> int:
    return number


@workflow.defn
class BareWorkflow:
    """Seven activities, three local ones, three signals."""

    def __init__(self) -> None:
        self._signals = 0

    @workflow.signal
    def proceed(self, _: int) -> None:
        self._signals += 1

    @workflow.run
    async def run(self) -> None:
        for number in range(BEFORE_SIGNALS):
            await self._outside(number)
        await self._local()
        for signal, steps in enumerate(AFTER_SIGNAL, start=1):
            await workflow.wait_condition(lambda wanted=signal: self._signals >= wanted)  # type: ignore[misc]
            for number in range(steps):
                await self._outside(number)
            if signal != LOCAL - 1:
                await self._local()

    async def _outside(self, number: int) -> None:
        await workflow.execute_activity(nothing, number, start_to_close_timeout=timedelta(seconds=30))

    async def _local(self) -> None:
        await workflow.execute_local_activity(nothing, 0, start_to_close_timeout=timedelta(seconds=10))


async def serve(address: str) -> None:
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[BareWorkflow],
        activities=[nothing],
        max_cached_workflows=1000,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
    await worker.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    asyncio.run(serve(parser.parse_args().address))
