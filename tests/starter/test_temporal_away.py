"""The Temporal server goes and comes back: the door answers all the while, and what it took is delivered afterwards."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from billing.record import Fate
from tests.drills.world import Engine
from tests.stack import assert_eventually, milestone_body
from tests.starter.conftest import Api, running_api, signed

LONG_S = 60.0
# The server starts twice, and a connection that was lost is tried again with growing pauses.


def _bodies(key: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"evt_{uuid4().hex[:10]}",
            "type": "invoice.viewed",
            "created_at": f"2026-10-15T08:00:{number:02}Z",
            "data": {"invoice_id": "inv_1", "reference": key, "version": 1},
        }
        for number in range(count)
    ]


async def _taken(api: Api, bodies: list[dict[str, Any]]) -> list[int]:
    async def post(body: dict[str, Any]) -> int:
        raw = json.dumps(body).encode()
        return (await api.deliver(raw, signed(raw, event_id=body["id"]))).status_code

    return await asyncio.gather(*(post(body) for body in bodies))


async def _fates(api: Api, bodies: list[dict[str, Any]]) -> set[str]:
    return {found.fate for body in bodies if (found := await api.event(body["id"]))}


@pytest.mark.parametrize("connected", [True, False], ids=["lost its connection", "never had one"])
async def test_events_taken_while_temporal_is_down_are_delivered_when_it_is_back(
    tmp_path: Path, connected: bool
) -> None:
    engine = Engine(tmp_path)
    if connected:
        await engine.start()
    try:
        async with running_api(engine.address, tmp_path) as api:
            trigger = await api.http.post("/triggers/milestone", json=milestone_body())
            assert trigger.status_code == 202, trigger.text
            if connected:
                await engine.kill()
            bodies = _bodies(trigger.json()["key"], 20)
            assert await _taken(api, bodies) == [202] * 20
            assert await _fates(api, bodies) == {Fate.PENDING}
            await engine.start()

            async def delivered() -> bool:
                return await _fates(api, bodies) == {Fate.DELIVERED}

            await assert_eventually(delivered, LONG_S)
            first = await api.event(bodies[0]["id"])
            assert first is not None
            assert first.attempts <= 3, "the outage must not bring an event near to quarantine"
    finally:
        await engine.kill()
