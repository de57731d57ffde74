"""What reconciliation reads besides the list: it leaves no trace at the API, and no secret in a message."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from connectors.http import BadAnswer, CallFailed, build_client
from connectors.jupiter import Jupiter
from connectors.ports import RemoteInvoice
from tests.stack import Stack


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with build_client(stack.settings.outbound_urls) as found:
        yield found


def over(status: int, body: bytes = b"") -> Jupiter:
    answer = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    return Jupiter(build_client(["http://api.example"], answer), "http://api.example", SecretStr("jk_test"))


async def asked(api: Jupiter) -> RemoteInvoice:
    found = over(200, b'{"data": [{"id": "x", "status": "change_requested", "version": 1, "total_cents": 5, '
                      b'"currency": "USD", "share_url": "https://pages.example/i/secret-token"}]}')  # fmt: skip
    return (await found.survey(None)).invoices[0]


async def test_reading_what_is_asked_is_no_view(stack: Stack, client: httpx.AsyncClient) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await stack.recipient(key, "change-request", message="less")
    await stack.until(key, "change_requested")
    api = Jupiter(client, stack.settings.jupiter_url, stack.settings.jupiter_api_key)
    [invoice] = (await api.survey(None)).invoices
    details = await api.details(invoice)
    assert details.requests is not None
    [request] = details.requests
    assert (request.message, request.is_open, request.version) == ("less", True, 1)
    assert request.at is not None
    assert details.of(1).created_at is not None
    assert "invoice.viewed" not in [event["type"] for event in (await stack.truth())["events"]]


async def test_what_an_api_does_not_tell_is_left_out() -> None:
    for api in (over(404), over(405)):
        details = await api.details(await asked(api))
        assert (details.versions, details.requests) == ((), None)


async def test_a_failure_to_read_the_page_does_not_name_its_token() -> None:
    api = over(500)
    with pytest.raises(CallFailed) as failed:
        await api._requests(await asked(api))  # noqa: SLF001 - the history is read first and would fail first
    assert "secret-token" not in str(failed.value)
    assert failed.value.__cause__ is None


async def test_one_absurd_invoice_hides_no_other_from_the_survey() -> None:
    body = b'{"data": [{"id": "odd", "status": "lost"}, {"id": "x", "status": "draft", "version": 1,'
    page = await over(200, body + b' "total_cents": 5, "currency": "USD"}], "next_cursor": "n"}').survey(None)
    assert ([one.external_id for one in page.invoices], list(page.unreadable), page.next_cursor) == (
        ["x"],
        ["odd"],
        "n",
    )
    with pytest.raises(BadAnswer):
        await over(200, b'{"data": 5}').survey(None)
