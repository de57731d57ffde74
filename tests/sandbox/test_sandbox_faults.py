"""Every fault switch does what it says, and a seed repeats itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from sandbox.faults import FaultBox, Faults
from tests.sandbox.sandbox_bench import INVOICE, Bench, Listener, verifies

Eventually = Callable[[Callable[[dict[str, Any]], bool]], Awaitable[dict[str, Any]]]


async def test_an_error_or_a_rate_limit_comes_before_anything_is_done(bench: Bench) -> None:
    await bench.faults(error_rate=1)
    assert (await bench.call("POST", "/invoices", INVOICE)).status_code == 500
    await bench.faults(rate_limit_rate=1, retry_after_s=7)
    limited = await bench.call("POST", "/invoices", INVOICE)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    assert (await bench.audit())["invoices"] == []


@pytest.mark.parametrize(("switch", "invoices"), [("drop_before_rate", 0), ("drop_after_rate", 1)])
async def test_a_dropped_connection_closes_without_an_answer(
    bench: Bench, switch: str, invoices: int, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.faults(**{switch: 1})
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.call("POST", "/invoices", INVOICE)
    assert len((await bench.audit())["invoices"]) == invoices
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []


async def test_latency_holds_a_call_back(bench: Bench) -> None:
    await bench.faults(latency_ms=60)
    began = time.monotonic()
    await bench.call("GET", "/invoices")
    assert time.monotonic() - began >= 0.06


@pytest.mark.parametrize(
    ("switches", "field"), [({"error_rate": 1.1}, "error_rate"), ({"latency_ms": -1}, "latency_ms"), ({"x": 1}, "x")]
)
async def test_a_switch_out_of_bounds_is_refused(bench: Bench, switches: dict[str, Any], field: str) -> None:
    refused = await bench.client.put("/_sandbox/faults", json=switches)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert (await bench.client.get("/_sandbox/faults")).json() == Faults().model_dump()


def test_a_seed_repeats_itself_and_another_does_not() -> None:
    def fates(seed: int) -> list[object]:
        box = FaultBox()
        box.turn(Faults(seed=seed, error_rate=0.5, webhook_duplicate_rate=0.5, webhook_shuffle=True))
        return [draw() for _ in range(50) for draw in (box.call, box.delivery)]

    assert fates(7) == fates(7)
    assert fates(7) != fates(8)


async def test_a_duplicate_is_the_same_event_again(heard_bench: Bench, listener: Listener) -> None:
    await heard_bench.faults(webhook_duplicate_rate=1)
    await heard_bench.sent()
    first, second = await listener.until(2)
    assert first == second
    assert {headers["webhook-id"] for headers, _ in listener.heard} == {first["id"]}


async def test_a_forgery_comes_beside_the_genuine_one_and_does_not_verify(
    heard_bench: Bench, listener: Listener
) -> None:
    await heard_bench.faults(webhook_forge_rate=1)
    await heard_bench.sent()
    await listener.until(2)
    assert sorted(verifies(headers, body) for headers, body in listener.heard) == [False, True]


async def test_a_dropped_webhook_never_comes_but_the_event_is_known(heard_bench: Bench, listener: Listener) -> None:
    await heard_bench.faults(webhook_drop_rate=1)
    await heard_bench.sent(reference="lost")
    await heard_bench.faults()
    await heard_bench.sent(reference="kept")
    assert [one["data"]["reference"] for one in await listener.until(1)] == ["kept"]
    states = [one["deliveries"][0]["state"] for one in (await heard_bench.audit())["events"]]
    assert states[0] == "dropped"


async def test_delay_holds_webhooks_back_and_shuffle_changes_their_order(
    heard_bench: Bench, listener: Listener
) -> None:
    await heard_bench.faults(webhook_delay_ms=80, webhook_shuffle=True, seed=3)
    began = time.monotonic()
    await asyncio.gather(*(heard_bench.sent(reference=f"r{n}") for n in range(12)))
    times = [one["created_at"] for one in await listener.until(12)]
    assert time.monotonic() - began >= 0.08
    assert times != sorted(times)
