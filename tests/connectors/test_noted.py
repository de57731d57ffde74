"""Every answered call to an outside system is noted, with its step key and without anything that is secret."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from billing.money import Money
from connectors.beancount import BeancountJournal
from connectors.http import CallFailed, build_client, call
from connectors.noted import note, noting
from connectors.ports import Posting

_URL = "http://api.example/i/secret-token?key=secret"
_SECRETS = ("secret", "api.example", "Bearer")


def _client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return build_client([_URL], httpx.MockTransport(answer))


@pytest.fixture
async def echoing() -> AsyncIterator[httpx.AsyncClient]:
    """It answers 200, or what the path ends with, and whether it saw the key before."""
    seen: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        key = request.headers.get("Idempotency-Key", "")
        headers = {"Idempotent-Replayed": "true"} if key in seen else {}
        seen.add(key)
        last = request.url.path.rpartition("/")[2]
        return httpx.Response(int(last) if last.isdigit() else 200, headers=headers, text=str(request.url))

    async with _client(answer) as client:
        yield client


async def test_an_answered_call_is_noted_with_its_step_key_and_whether_it_was_answered_before(
    echoing: httpx.AsyncClient,
) -> None:
    before = datetime.now(UTC)
    with noting() as calls:
        for _ in range(2):
            headers = {"Authorization": "Bearer secret", "Idempotency-Key": "k:issue:v1"}
            url = "http://api.example/api/v1/invoices/inv_1/issue"
            await call(echoing, "POST", url, system="jupiter", headers=headers, step_key="k:issue:v1")
    assert [one.model_dump(exclude={"at"}) for one in calls] == [
        {
            "system": "jupiter", "method": "POST", "path": "/api/v1/invoices/inv_1/issue", "status": 200,
            "step_key": "k:issue:v1", "replayed": replayed,
        }
        for replayed in (False, True)
    ]  # fmt: skip
    assert before <= calls[0].at <= calls[1].at <= datetime.now(UTC)
    assert not [one for one in calls if any(secret in one.model_dump_json() for secret in _SECRETS)]


async def test_a_refusal_that_was_answered_is_noted_too(echoing: httpx.AsyncClient) -> None:
    with noting() as calls, pytest.raises(CallFailed):
        await call(echoing, "POST", "http://api.example/decline/409", system="jupiter", headers={})
    assert [(one.path, one.status) for one in calls] == [("/decline/409", 409)]


async def test_what_was_never_answered_is_no_call() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow")

    with noting() as calls, pytest.raises(CallFailed):
        await call(_client(fail), "GET", "http://api.example/x", system="jupiter", headers={})
    assert calls == []


async def test_a_path_that_is_a_secret_is_shown_by_its_name_alone(echoing: httpx.AsyncClient) -> None:
    with noting() as calls:
        await call(echoing, "GET", _URL, system="jupiter", headers={}, shown="the recipient's page")
    assert [one.path for one in calls] == ["the recipient's page"]


async def test_what_runs_side_by_side_notes_its_own_calls_alone(echoing: httpx.AsyncClient) -> None:
    async def one(name: str) -> list[str]:
        with noting() as calls:
            for number in range(3):
                await call(echoing, "GET", f"http://api.example/{name}{number}", system="jupiter", headers={})
                await asyncio.sleep(0)
        return [noted.path for noted in calls]

    found = await asyncio.gather(*(one(name) for name in "ab"))
    assert found == [[f"/{name}{number}" for number in range(3)] for name in "ab"]
    note("crm", "UPDATE", "/customers/acme")  # outside of any activity: goes nowhere


async def test_the_journal_says_whether_the_posting_stood_there_before(tmp_path: Path) -> None:
    posting = Posting(
        key="invoice:p:m", external_id="inv_1", customer_id="acme", customer_name="Acme", motion="milestone",
        total=Money(minor=100, currency="USD"), approved_on=date(2026, 11, 2),
    )  # fmt: skip
    journal = BeancountJournal(tmp_path / "ledger.beancount")
    with noting() as calls:
        await journal.post(posting)
        await journal.post(posting)
    assert [(one.system, one.step_key, one.replayed) for one in calls] == [
        ("accounting", "invoice:p:m", False),
        ("accounting", "invoice:p:m", True),
    ]
