"""Webhooks are signed, retried, and survive the sandbox being killed."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from tests.sandbox.sandbox_bench import KEY, SECRET, Bench, Listener

Eventually = Callable[[Callable[[dict[str, Any]], bool]], Awaitable[dict[str, Any]]]


async def test_every_delivery_verifies_and_carries_the_event_as_the_contract_says(
    heard_bench: Bench, listener: Listener
) -> None:
    sent = await heard_bench.sent()
    (event,) = await listener.until(1)
    headers, body = listener.heard[0]
    assert Webhook(SECRET).verify(body, headers) == event
    assert headers["webhook-id"] == event["id"]
    expected = {"invoice_id": sent["id"], "reference": "invoice:p:1", "version": 1, "status": "sent"}
    assert (event["type"], event["data"]) == ("invoice.sent", expected)


async def test_anything_but_2xx_is_tried_again_with_the_same_id(
    heard_bench: Bench, listener: Listener, eventually: Eventually
) -> None:
    listener.answers = [500, 302, 404]
    await heard_bench.sent()
    events = await listener.until(4)
    assert len({event["id"] for event in events}) == 1
    truth = await eventually(lambda truth: truth["events"][0]["deliveries"][0]["state"] == "delivered")
    delivery = truth["events"][0]["deliveries"][0]
    assert (delivery["attempts"], delivery["last_status"]) == (4, 202)


async def test_an_endpoint_hears_only_what_it_asked_for_and_is_subscribed_once(
    bench: Bench, listener: Listener
) -> None:
    body = {"url": listener.url, "events": ["invoice.approved"], "secret": SECRET}
    first, again = [await bench.call("POST", "/webhook-endpoints", body) for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    await bench.act(await bench.sent(), "approve", version=1)
    assert [event["type"] for event in await listener.until(1)] == ["invoice.approved"]
    assert "secret" not in (await bench.call("GET", "/webhook-endpoints")).text
    assert (await bench.call("POST", "/webhook-endpoints", body | {"secret": "whsec_"})).status_code == 422
    assert (await bench.call("POST", "/webhook-endpoints", body | {"events": ["x"]})).status_code == 422


@asynccontextmanager
async def process(data: Path, hook: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Bench]]:
    """The sandbox as a process of its own, and a way to talk to it."""
    command = (sys.executable, "-m", "sandbox", "--data", str(data), "--port", "0", "--webhook-url", hook,
               "--webhook-first-pause-s", "0.05")  # fmt: skip
    secrets = {"SANDBOX_API_KEY": KEY, "SANDBOX_WEBHOOK_SECRET": SECRET}
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, env=os.environ | secrets, stdout=pipe, stderr=pipe)
    try:
        assert child.stdout is not None
        url = (await asyncio.wait_for(child.stdout.readline(), 10)).decode().split()[-1]
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield child, Bench(client, None)  # type: ignore[arg-type]
    finally:
        if child.returncode is None:
            child.kill()
        _, said = await child.communicate()
        assert KEY.encode() not in said
        assert b"Traceback" not in said


async def test_killed_after_the_change_it_still_tells_of_it_when_it_comes_back(
    tmp_path: Path, listener: Listener
) -> None:
    listener.answers = [503] * 100
    async with process(tmp_path / "s.db", listener.url) as (child, bench):
        sent = await bench.sent()
        await listener.until(1)
        child.kill()
        await child.wait()
    listener.answers, before = [], len(listener.heard)
    async with process(tmp_path / "s.db", listener.url) as (child, bench):
        events = await listener.until(before + 1)
        assert events[-1]["data"]["invoice_id"] == sent["id"]
        assert len({event["id"] for event in events}) == 1
        assert (await bench.call("GET", f"/invoices/{sent['id']}")).json() == sent
        child.send_signal(signal.SIGTERM)
        await asyncio.wait_for(child.wait(), 5)
    assert json.dumps(events[0]) == json.dumps(events[-1])
