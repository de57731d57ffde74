"""No request leaves for a host that no setting names, whatever an address in a payload or an answer says."""

import httpx
import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.classify import classify
from connectors.http import HostRefused, build_client, call
from connectors.hubspot import HubSpot
from settings import Settings

_METADATA = "http://169.254.169.254/latest/meta-data/"


class Wire:
    """Answers 200, or a redirect to `to`; keeps what was sent."""

    def __init__(self, to: str = "") -> None:
        self.sent: list[httpx.URL] = []
        self._to = to

    def client(self, *allowed: str) -> httpx.AsyncClient:
        return build_client(allowed, httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.url)
        return httpx.Response(307, headers={"location": self._to}) if self._to else httpx.Response(200, text="{}")


@pytest.mark.parametrize(
    "url",
    [
        _METADATA,
        "https://evil.example/",
        "http://api.example/",
        "https://api.example:8443/",
        "https://api.example.evil.example/",
        "https://api.example@evil.example/",
        "https://xn--e1awd7f.example/",
        "ftp://api.example/",
    ],
)
async def test_a_request_to_another_host_scheme_or_port_is_not_made(url: str) -> None:
    wire = Wire()
    async with wire.client("https://api.example/base") as client:
        with pytest.raises(HostRefused, match="no host that this Billhook may call"):
            await client.get(url)
    assert wire.sent == []


async def test_the_host_of_a_setting_is_called_however_its_address_is_spelled() -> None:
    wire = Wire()
    async with wire.client("https://API.example:443/v1", "not a url:x") as client:
        await client.get("https://api.example/other/path")
    assert len(wire.sent) == 1


async def test_a_redirect_leads_nowhere_else_even_where_somebody_follows_it() -> None:
    wire = Wire(to=_METADATA)
    async with wire.client("https://api.example") as client:
        assert (await client.get("https://api.example/")).status_code == 307
        with pytest.raises(HostRefused, match=r"169\.254\.169\.254"):
            await client.get("https://api.example/", follow_redirects=True)
    assert {url.host for url in wire.sent} == {"api.example"}


async def test_a_refused_host_parks_the_step_instead_of_being_tried_for_ever() -> None:
    async with Wire().client("https://api.example") as client:
        with pytest.raises(HostRefused) as refused:
            await call(client, "GET", _METADATA, system="jupiter", headers={})
    seen = classify(refused.value)
    assert isinstance(seen, ApplicationError)
    assert (seen.type, seen.non_retryable) == ("host-refused", True)
    assert "BILLHOOK_OUTBOUND_HOSTS" in refused.value.next_step


@pytest.mark.parametrize("hostile", ["../../x", "//evil.example/", "@evil.example", "1?x=http://evil.example"])
async def test_an_id_out_of_a_vendors_payload_stays_a_part_of_the_path(hostile: str) -> None:
    wire = Wire()
    async with wire.client("https://api.hubapi.com") as client:
        hubspot = HubSpot(client, "https://api.hubapi.com", SecretStr("pat"))
        await hubspot.update("deals", hostile, {"x": "y"}, step_key="k")
    (sent,) = wire.sent
    assert (sent.host, sent.query) == ("api.hubapi.com", b"")
    assert sent.raw_path.count(b"/") == "/crm/v3/objects/deals/x".count("/")


def test_where_calls_may_go_is_what_the_settings_name_and_a_bare_name_is_https() -> None:
    found = Settings(
        jupiter_url="http://127.0.0.1:8401", oidc_issuer="https://accounts.example",
        outbound_hosts="keys.example, http://127.0.0.1:9000",
    ).outbound_urls  # fmt: skip
    assert found == [
        "http://127.0.0.1:8401", "https://api.hubapi.com", "https://accounts.example", "https://keys.example",
        "http://127.0.0.1:9000",
    ]  # fmt: skip
