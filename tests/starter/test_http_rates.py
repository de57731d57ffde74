"""A caller who runs wild is told when to come again, and nobody else is kept waiting for him."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from records.tokens import Scope
from settings import Settings
from starter.http.rates import BURST_S, Buckets, Rates, TooManyRequests
from tests.starter.conftest import running_api, signed


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_ten_seconds_worth_and_fills_at_its_rate() -> None:
    clock = Clock()
    bucket = Buckets(2, clock)
    assert [bucket.take("a") for _ in range(int(2 * BURST_S))] == [0.0] * 20
    assert bucket.take("a") == pytest.approx(0.5)
    clock.now += 0.5
    assert bucket.take("a") == 0
    assert bucket.take("a") > 0
    clock.now += 1000
    assert sum(bucket.take("a") == 0 for _ in range(50)) == 20


def test_each_name_has_a_bucket_of_its_own_and_no_rate_is_no_limit() -> None:
    bucket, free = Buckets(0.1, Clock()), Buckets(0, Clock())
    assert (bucket.take("a"), bucket.take("b")) == (0, 0)
    assert bucket.take("a") > 0
    assert {free.take("a") for _ in range(1000)} == {0.0}


def test_as_many_names_as_a_caller_likes_take_no_more_memory() -> None:
    bucket = Buckets(0.1, Clock())
    for number in range(10_100):
        bucket.take(str(number))
    assert len(bucket._left) == 10_000  # noqa: SLF001 - what a caller cannot see is what is promised


def test_webhooks_have_buckets_of_their_own_health_has_none_and_an_ipv6_customer_is_one_address() -> None:
    rates = Rates(Settings(address_rate=0.1, webhook_rate=0.1), Clock())
    rates.of_address("/invoices", "2001:db8::1")
    with pytest.raises(TooManyRequests) as refused:
        rates.of_address("/policy", "2001:db8::ffff")
    assert refused.value.retry_after_s == 10
    rates.of_address("/webhooks/stripe", "2001:db8::1")
    with pytest.raises(TooManyRequests):
        rates.of_address("/webhooks/jupiter", "2001:db8::1")
    for _ in range(5):
        rates.of_address("/healthz", "2001:db8::1")


def refused(answer: httpx.Response) -> tuple[Any, ...]:
    return answer.status_code, answer.headers["content-type"], answer.json()["type"], answer.headers.get("retry-after")


PROBLEM = "application/problem+json"


async def test_a_token_that_asks_too_often_is_a_429_and_another_one_is_not(tmp_path: Path) -> None:
    async with running_api("127.0.0.1:1", tmp_path, token_rate=0.1) as api:
        wild, calm = await api.token(Scope.READ), await api.token(Scope.READ)
        assert (await api.http.get("/invoices", headers=wild)).status_code == 200
        again = await api.http.get("/invoices", headers=wild)
        assert refused(again) == (429, PROBLEM, "urn:billhook:too-many-requests", "10")
        assert again.json()["next_step"] == "send the next one in 10 s"
        assert (await api.http.get("/invoices", headers=calm)).status_code == 200


async def test_guesses_at_tokens_are_slowed_by_their_address_before_our_records_are_asked(tmp_path: Path) -> None:
    async with running_api("127.0.0.1:1", tmp_path, address_rate=0.5) as api:
        guesses = [await api.http.get("/invoices", headers={"Authorization": f"Bearer {n}"}) for n in range(5)]
        assert [one.status_code for one in guesses] == [401, 401, 401, 401, 429]
        assert refused(guesses[-1]) == (429, PROBLEM, "urn:billhook:too-many-requests", "2")
        assert (await api.http.get("/desk/sign-in")).status_code == 429
        assert (await api.http.get("/healthz")).status_code == 200


async def test_a_provider_that_sends_too_fast_is_told_to_send_again_and_nothing_is_lost(tmp_path: Path) -> None:
    body = json.dumps({"id": "evt_1", "type": "invoice.viewed", "created": 1, "data": {"invoice_id": "inv_1"}}).encode()
    async with running_api("127.0.0.1:1", tmp_path, webhook_rate=0.1) as api:
        answers = [await api.deliver(body, signed(body)) for _ in range(2)]
        assert answers[0].status_code in {202, 400}
        assert refused(answers[1]) == (429, PROBLEM, "urn:billhook:too-many-requests", "10")
        assert (await api.http.get("/invoices")).status_code == 200
