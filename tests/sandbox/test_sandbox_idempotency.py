"""A key does a thing once, whoever hears of it."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.server import build_server
from tests.sandbox.sandbox_bench import INVOICE, Bench, running


async def test_the_same_key_and_body_answer_the_first_answer_again(bench: Bench) -> None:
    first = await bench.call("POST", "/invoices", INVOICE, "k1")
    again = await bench.call("POST", "/invoices", dict(reversed(INVOICE.items())), "k1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert len((await bench.audit())["invoices"]) == 1


async def test_the_same_key_with_another_body_or_path_is_refused(bench: Bench) -> None:
    made = (await bench.call("POST", "/invoices", INVOICE, "k1")).json()
    assert (await bench.call("POST", "/invoices", INVOICE | {"reference": "other"}, "k1")).status_code == 422
    assert (await bench.call("POST", f"/invoices/{made['id']}/issue", {"send": False}, "k1")).status_code == 422


async def test_a_key_still_running_is_a_conflict(bench: Bench) -> None:
    await bench.faults(latency_ms=150)
    answers = await asyncio.gather(*(bench.call("POST", "/invoices", INVOICE, "k1") for _ in range(2)))
    assert sorted(one.status_code for one in answers) == [201, 409]


async def test_a_caller_who_never_heard_gets_the_first_answer(bench: Bench) -> None:
    await bench.faults(drop_after_rate=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.call("POST", "/invoices", INVOICE, "k1")
    await bench.faults()
    again = await bench.call("POST", "/invoices", INVOICE, "k1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [one["id"] for one in (await bench.audit())["invoices"]] == [again.json()["id"]]


async def test_a_refusal_keeps_no_key(bench: Bench) -> None:
    assert (await bench.call("POST", "/invoices", INVOICE | {"currency": "ABC"}, "k1")).status_code == 422
    assert (await bench.call("POST", "/invoices", INVOICE, "k1")).status_code == 201


async def test_a_key_is_forgotten_after_its_life(config: SandboxConfig) -> None:
    short = replace(config, idempotency_ttl_s=0)
    async with running(build_server(short)) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        bench = Bench(client, short)
        first = await bench.call("POST", "/invoices", INVOICE, "k1")
        assert (await bench.call("POST", "/invoices", INVOICE, "k1")).json()["id"] != first.json()["id"]
