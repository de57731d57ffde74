"""The invoicing client: against the stand-in over real HTTP, and its wire details on a transport."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from billing.errors import BadInput
from billing.intent import Commercial, Discount, DiscountType, Line
from billing.money import Money
from connectors.http import BadAnswer, CallFailed, build_client, parse_retry_after
from connectors.jupiter import Jupiter
from connectors.jupiter_bodies import commercial_fields, patch_body
from connectors.jupiter_wire import Wire
from connectors.ports import Recipient
from sandbox.config import SandboxConfig
from sandbox.server import bind, build_server

ACME = Recipient("Acme", "ap@acme.example")
KEY = SecretStr("jk_test")


def content(*lines: tuple[str, str], currency: str = "USD", **more: Any) -> Commercial:
    made = tuple(Line(description="Work", quantity=Decimal(q), unit_price=Decimal(p)) for q, p in lines)
    return Commercial(currency=currency, lines=made, **more)


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Jupiter]:
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = build_server(SandboxConfig(database=tmp_path / "s.db", api_key=KEY.get_secret_value(), public_url=url))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with build_client([url]) as client:
        yield Jupiter(client, url, KEY)
    server.should_exit = True
    await serving
    listener.close()


@pytest.mark.parametrize(
    "commercial",
    [
        content(("1", "1250.00")),
        content(("12345", "0.0004"), ("1.5", "10.00"), ("0.333", "9.99")),
        content(("3", "1000"), currency="JPY"),
        content(("1", "10.125"), ("7", "0.0005"), currency="KWD"),
        content(("1", "100.05"), discount=Discount(type=DiscountType.PERCENT, value=Decimal("12.5"))),
        content(("1", "100.05"), discount=Discount(type=DiscountType.FLAT, value=Decimal("0.05"))),
    ],
)
async def test_the_apis_total_is_ours_to_the_minor_unit(api: Jupiter, commercial: Commercial) -> None:
    draft = await api.create_draft("invoice:q", ACME, commercial, step_key="k:create")
    assert draft.total == commercial.total
    assert (draft.status, draft.reference, draft.version) == ("draft", "invoice:q", 1)


async def test_a_repeated_create_is_the_first_draft_again(api: Jupiter) -> None:
    first, second = [await api.create_draft("invoice:q", ACME, content(("1", "5")), step_key="k") for _ in range(2)]
    assert first == second


async def test_a_life_at_the_api_from_draft_to_voided(api: Jupiter) -> None:
    draft = await api.create_draft("invoice:q", ACME, content(("1", "5")), step_key="c")
    more = content(("2", "5"), due_date=date(2027, 1, 31))
    carried = {"po_number": "PO-1", "address": {"city": "Oslo"}, "ap_contact": {"email": "ap@acme.example"}}
    patched = await api.patch_draft(draft.external_id, commercial=more, carried=carried, step_key="p")
    assert (patched.total.minor, patched.due_date) == (1000, date(2027, 1, 31))
    assert patched.recipient_fields == carried
    issued = await api.issue(draft.external_id, send=False, step_key="i")
    assert issued.status == "sent"
    assert issued.link is not None
    revised = await api.revise(draft.external_id, content(("3", "5")), change_request_id=None, step_key="r")
    assert (revised.version, revised.total) == (2, Money(minor=1500, currency="USD"))
    assert (await api.find("invoice:q")) == await api.get(draft.external_id)
    assert (await api.void(draft.external_id, "mistake", step_key="v")).status == "voided"


async def test_discarding_a_draft_twice_is_discarding_it_once(api: Jupiter) -> None:
    draft = await api.create_draft("invoice:q", ACME, content(("1", "5")), step_key="c")
    await api.discard(draft.external_id)
    await api.discard(draft.external_id)
    assert await api.find("invoice:q") is None


async def test_a_refusal_says_status_and_field(api: Jupiter) -> None:
    with pytest.raises(CallFailed) as refused:
        await api.create_draft("invoice:q", Recipient("", ""), content(("1", "5")), step_key="c")
    assert (refused.value.status, refused.value.field) == (422, "recipient")
    with pytest.raises(CallFailed) as lost:
        await api.get("inv/../none")
    assert lost.value.status == 404


Handler = Callable[[httpx.Request], httpx.Response]
ANSWER = {"id": "x", "status": "draft", "version": 1, "total_cents": 500, "currency": "USD"}


def over(handler: Handler, **options: Any) -> Jupiter:
    client = build_client(["http://api.example"], httpx.MockTransport(handler))
    return Jupiter(client, "http://api.example", KEY, **options)


async def test_every_write_carries_its_step_key_and_ids_cannot_leave_their_place() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ANSWER)

    api = over(answer)
    await api.create_draft("r", ACME, content(("1", "5")), step_key="k:c")
    await api.patch_draft("a/b?c", commercial=content(("1", "5")), carried={}, step_key="k:p")
    await api.issue("..", send=True, step_key="k:i")
    await api.void("x", "why", step_key="k:v")
    await api.decline_change("x", "cr/1", "no", step_key="k:d")
    await api.revise("x", content(("1", "5")), change_request_id="cr", step_key="k:r")
    keys = [request.headers["idempotency-key"] for request in seen]
    assert keys == ["k:c", "k:p", "k:i", "k:v", "k:d", "k:r"]
    paths = [request.url.raw_path.decode() for request in seen]
    assert paths[1] == "/api/v1/invoices/a%2Fb%3Fc"
    assert paths[2] == "/api/v1/invoices/%2E%2E/issue"
    assert paths[4] == "/api/v1/invoices/x/change-requests/cr%2F1/decline"
    assert all(request.headers["authorization"] == "Bearer jk_test" for request in seen)


async def test_a_setting_overrides_what_we_chose_and_nothing_else() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v1/invoices/x/finalize"
        return httpx.Response(200, json={**ANSWER, "total_cents": None, "amount": {"total": 7}})

    api = over(answer, wire={"path.issue": "/invoices/{id}/finalize", "field.total": "amount.total"})
    assert (await api.issue("x", send=False, step_key="k")).total.minor == 7
    with pytest.raises(BadInput, match=re.escape("path.nonsense")):
        Wire.of({"path.nonsense": "/"})


@pytest.mark.parametrize(
    "absurd",
    [
        b"", b"[]", b"<html>", b"null", b"{}",
        *(json.dumps({**ANSWER, **change}).encode() for change in (
            {"total_cents": -1}, {"total_cents": "500"}, {"total_cents": 5.5}, {"total_cents": 10**30},
            {"version": 0}, {"version": True}, {"status": "lost"}, {"currency": "XXX"}, {"currency": "usd"},
            {"id": ""}, {"id": 7}, {"share_url": "javascript:alert(1)"}, {"approved_at": "2026-10-01T00:00:00"},
            {"due_date": "soon"}, {"recipient": {"address": "Oslo"}},
        )),
    ],
)  # fmt: skip
async def test_an_absurd_answer_is_refused_and_never_believed(absurd: bytes) -> None:
    with pytest.raises(BadAnswer):
        await over(lambda _: httpx.Response(200, content=absurd)).get("x")


async def test_an_endless_answer_and_another_invoice_are_refused() -> None:
    with pytest.raises(BadAnswer, match="bytes"):
        await over(lambda _: httpx.Response(200, content=b" " * 5_000_000)).get("x")
    with pytest.raises(BadAnswer, match="another invoice"):
        await over(lambda _: httpx.Response(200, json={**ANSWER, "id": "y"})).get("x")


async def test_finding_does_not_trust_a_filter_that_the_api_may_ignore() -> None:
    pages = {
        None: {"data": [{**ANSWER, "reference": "other"}], "next_cursor": "2"},
        "2": {"data": [{**ANSWER, "id": "mine", "reference": "r"}], "next_cursor": None},
    }
    api = over(lambda request: httpx.Response(200, json=pages[request.url.params.get("cursor")]))
    found = await api.find("r")
    assert found is not None
    assert found.external_id == "mine"
    assert await api.find("none") is None


async def test_a_failure_tells_whether_anything_was_reached_and_how_long_to_wait() -> None:
    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    def dropped(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("gone", request=request)

    for handler, reached in ((refused, False), (dropped, True)):
        with pytest.raises(CallFailed) as failed:
            await over(handler).get("x")
        assert (failed.value.status, failed.value.reached) == (None, reached)
    with pytest.raises(CallFailed) as limited:
        await over(lambda _: httpx.Response(429, headers={"retry-after": "7"}, json={"error": "slow down"})).get("x")
    assert limited.value.retry_after == timedelta(seconds=7)
    assert "jk_test" not in str(limited.value)


def test_retry_after_reads_seconds_and_dates_and_nothing_else() -> None:
    now = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)
    assert parse_retry_after("120", now) == timedelta(seconds=120)
    assert parse_retry_after("Wed, 21 Oct 2026 07:29:00 GMT", now) == timedelta(minutes=1)
    assert parse_retry_after("Wed, 21 Oct 2026 07:00:00 GMT", now) == timedelta()
    for odd in (None, "", "soon", "-1", "9" * 40, "²"):
        assert parse_retry_after(odd, now) is None


def test_a_line_that_would_be_rounded_goes_out_as_one_of_its_amount_with_the_metering_told() -> None:
    lines = commercial_fields(content(("12345", "0.0004"), ("1.5", "10.00"), ("0.3", "0.05")))["line_items"]
    assert lines[0] == {"description": "Work (12345 x 0.0004 USD)", "quantity": 1, "unit_price_cents": 494}
    assert lines[1] == {"description": "Work", "quantity": 1.5, "unit_price_cents": 1000}
    assert (lines[2]["quantity"], lines[2]["unit_price_cents"]) == (1, 2)


def test_a_field_that_is_not_ours_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="status"):
        patch_body(Wire.of(), content(("1", "5")), {"status": "approved"})
