"""Nothing comes in that a vendor's own scheme does not vouch for, and nothing late that the scheme can tell."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from billing.mappings import HubSpotMapping, System
from settings import Settings
from starter.intake import BadSignature
from starter.vendors.calls import Call
from starter.vendors.hubspot import HubSpotDeals
from starter.vendors.signing import Signed, as_base64
from tests.starter.conftest import Api, running_api
from tests.starter.vendors import samples
from tests.starter.vendors.conftest import stored, vendor_settings
from tests.starter.vendors.samples import PUBLIC, SECRET, as_bytes

CLOUD = {"content-type": "application/cloudevents+json"}
WAYS: dict[System, tuple[Callable[[], Any], Callable[..., dict[str, str]]]] = {
    System.GITHUB: (samples.github, samples.github_signed),
    System.LINEAR: (samples.linear, samples.linear_signed),
    System.JIRA: (samples.jira, samples.jira_signed),
    System.HUBSPOT: (
        lambda: [samples.hubspot(5)],
        lambda raw, **how: samples.hubspot_signed(raw, url=f"{PUBLIC}/webhooks/hubspot", **how),
    ),
    System.STRIPE: (samples.stripe, samples.stripe_signed),
    System.GENERIC: (samples.generic, samples.standard_signed),
    System.CLOUDEVENTS: (
        samples.cloudevent,
        lambda raw, **how: samples.standard_signed(raw, **how) | CLOUD,
    ),
}
WITH_A_TIME = sorted({*System} - {System.GITHUB, System.JIRA})


async def post(api: Api, system: System, raw: bytes, headers: dict[str, str]) -> Any:
    return await api.http.post(f"/webhooks/{system.value}", content=raw, headers={"Authorization": "", **headers})


@pytest.mark.parametrize("system", [*System])
async def test_what_is_signed_is_stored_before_it_is_answered(door: Api, system: System) -> None:
    body, sign = WAYS[system]
    raw = as_bytes(body())
    answer = await post(door, system, raw, sign(raw))
    assert answer.status_code == (200 if system is System.LINEAR else 202), answer.text
    assert answer.json() == {"events": 1, "created": 1}
    (row,) = await stored(door)
    assert (row.source, row.fate, row.id.partition(":")[0]) == (system.value, "pending", system.value)


@pytest.mark.parametrize("system", [*System])
async def test_the_same_delivery_twice_is_stored_once(door: Api, system: System) -> None:
    body, sign = WAYS[system]
    raw = as_bytes(body())
    headers = sign(raw)
    answers = [await post(door, system, raw, headers) for _ in range(3)]
    assert [answer.json()["created"] for answer in answers] == [1, 0, 0]
    assert len(await stored(door)) == 1


@pytest.mark.parametrize("system", [*System])
async def test_another_secrets_signature_a_changed_body_and_none_at_all_are_401s(door: Api, system: System) -> None:
    body, sign = WAYS[system]
    raw = as_bytes(body())
    other = "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQ=" if system in {System.GENERIC, System.CLOUDEVENTS} else "forged"
    content = {"content-type": sign(raw).get("content-type", "application/json")}
    for sent, headers in ((raw, sign(raw, secret=other)), (raw + b" ", sign(raw)), (raw, content)):
        answer = await post(door, system, sent, headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:billhook:bad-signature"), answer.text
        assert SECRET not in answer.text
    assert await stored(door) == []


@pytest.mark.parametrize("system", WITH_A_TIME)
@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_time_outside_the_window_is_a_401_that_names_it(door: Api, system: System, minutes: int) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    ms = int(at.timestamp() * 1000)
    body, sign = WAYS[system]
    raw = as_bytes(samples.linear(webhookTimestamp=ms) if system is System.LINEAR else body())
    how: dict[System, dict[str, Any]] = {
        System.LINEAR: {},
        System.HUBSPOT: {"at": ms},
        System.STRIPE: {"at": ms // 1000},
    }
    answer = await post(door, system, raw, sign(raw, **how.get(system, {"at": at})))
    assert answer.status_code == 401
    assert "imestamp" in answer.json()["errors"][0]["field"] or system is System.STRIPE


async def test_linear_allows_a_minute_only(door: Api) -> None:
    raw = as_bytes(samples.linear(webhookTimestamp=samples.now_ms() - 70_000))
    assert (await post(door, System.LINEAR, raw, samples.linear_signed(raw))).status_code == 401


@pytest.mark.parametrize("system", [*System])
async def test_a_system_without_a_secret_has_no_door(tmp_path: Path, system: System) -> None:
    shut = vendor_settings(tmp_path) | {f"{system.value}_secret": SecretStr("")}
    body, sign = WAYS[system]
    raw = as_bytes(body())
    async with running_api("127.0.0.1:1", tmp_path, **shut) as api:
        answer = await post(api, system, raw, sign(raw))
        assert (answer.status_code, await stored(api)) == (404, [])
        assert f"BILLHOOK_{system.name}_SECRET" in answer.json()["next_step"]


async def test_while_a_secret_is_rotated_both_verify(tmp_path: Path) -> None:
    both = vendor_settings(tmp_path) | {"github_secret": SecretStr(f"old, {SECRET}")}
    raw = as_bytes(samples.github())
    async with running_api("127.0.0.1:1", tmp_path, **both) as api:
        for secret in ("old", SECRET):
            answer = await post(api, System.GITHUB, raw, samples.github_signed(raw, secret=secret))
            assert answer.status_code == 202


@pytest.mark.parametrize("system", [*System])
@pytest.mark.parametrize("raw", [b"{", b'"text"', b"\xff", b"[1]"])
async def test_a_signed_body_that_is_no_event_is_a_400(door: Api, system: System, raw: bytes) -> None:
    if raw == b"\xff" and system in {System.GENERIC, System.CLOUDEVENTS}:
        pytest.skip("Standard Webhooks signs text")
    headers = WAYS[system][1](raw)
    answer = await post(door, system, raw, headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:billhook:malformed"), answer.text
    assert answer.json()["next_step"]


@pytest.mark.parametrize("system", [*System])
async def test_a_garbled_signature_is_a_401(door: Api, system: System) -> None:
    body, sign = WAYS[system]
    raw = as_bytes(body())
    for garbage in ("é", "sha256=", "v1=", "t=9999999999999,v1=x", ",", "="):
        bad: Mapping[bytes, bytes] = {
            name.encode(): garbage.encode() if "signature" in name else value.encode()
            for name, value in sign(raw).items()
        }
        answer = await door.http.post(f"/webhooks/{system.value}", content=raw, headers=bad)
        assert answer.status_code == 401, (garbage, answer.text)


def test_githubs_published_vector() -> None:
    """docs.github.com, Validating webhook deliveries."""
    given = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    Signed([SECRET], "S", "x-hub-signature-256").check(b"Hello, World!", [given])
    with pytest.raises(BadSignature):
        Signed([SECRET], "S", "x-hub-signature-256").check(b"Hello, World", [given])


def test_jiras_published_vector() -> None:
    """developer.atlassian.com, Jira Cloud webhooks."""
    given = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    Signed([SECRET], "S", "x-hub-signature").check(b"Hello World!", [given])


def hubspot_call(**changes: Any) -> Call:
    given: dict[str, Any] = {
        "url": "https://www.example.com/webhook_uri",
        "headers": {
            "x-hubspot-signature-v3": "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
            "x-hubspot-request-timestamp": "1693657560000",
        },
        "body": b"{'example_field':'example_value'}",
        "at": datetime.fromtimestamp(1693657560, UTC),
    }
    return Call(**(given | changes))


async def nobody(_: str) -> None:
    return None


def test_hubspots_published_vector_and_its_window() -> None:
    """developers.hubspot.com, Validate the v3 request signature."""
    vendor = HubSpotDeals(["yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"], HubSpotMapping(), None, nobody)
    vendor.verify(hubspot_call())
    for change in (
        {"url": "https://www.example.com/webhook_uri2"},
        {"method": "PUT"},
        {"at": datetime.fromtimestamp(1693657560 + 301, UTC)},
    ):
        with pytest.raises(BadSignature):
            vendor.verify(hubspot_call(**change))


def test_hubspot_signs_the_url_with_some_signs_decoded() -> None:
    url = "https://www.example.com/hook?to=a%40b%3a%20c"
    raw, at = b"[]", "1693657560000"
    signature = samples.hubspot_signed(raw, url="https://www.example.com/hook?to=a@b:%20c", at=int(at))
    HubSpotDeals([SECRET], HubSpotMapping(), None, nobody).verify(hubspot_call(url=url, headers=signature, body=raw))
    assert as_base64(b"\x00") == "AA=="


async def test_hubspot_behind_a_proxy_is_verified_by_the_public_url(door: Api) -> None:
    raw = as_bytes([samples.hubspot(5)])
    inside = samples.hubspot_signed(raw, url="http://billhook/webhooks/hubspot")
    assert (await post(door, System.HUBSPOT, raw, inside)).status_code == 401


def test_a_standard_webhooks_secret_that_is_none_is_named_at_start(tmp_path: Path) -> None:
    from records.session import Database  # noqa: PLC0415
    from starter.http.app import create_app  # noqa: PLC0415

    settings = Settings(generic_secret=SecretStr("not base64!"), database_url=f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(Exception, match="generic_secret"):
        create_app(settings, Database(settings.database), nobody)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["batch", "binary"])
async def test_a_cloudevent_comes_as_a_batch_or_in_headers_too(door: Api, mode: str) -> None:
    event = samples.cloudevent()
    if mode == "batch":
        raw = as_bytes([event, samples.cloudevent()])
        headers = samples.standard_signed(raw) | {"content-type": "application/cloudevents-batch+json; charset=utf-8"}
    else:
        raw = as_bytes(event["data"])
        given = {f"ce-{name}": event[name] for name in ("specversion", "id", "source", "type", "time")}
        headers = samples.standard_signed(raw) | given | {"content-type": "application/json"}
    answer = await post(door, System.CLOUDEVENTS, raw, headers)
    assert answer.status_code == 202, answer.text
    assert {row.type for row in await stored(door)} == {"com.acme.job.finished"}
    assert answer.json()["events"] == len(await stored(door)) == (2 if mode == "batch" else 1)


async def test_a_binary_cloudevent_with_other_unsigned_attributes_is_no_second_event(door: Api) -> None:
    raw = as_bytes({"job": {}})
    signed = samples.standard_signed(raw)
    for number in (1, 2):
        given = {"ce-specversion": "1.0", "ce-id": f"e{number}", "ce-source": "s", "ce-type": f"t{number}"}
        await post(door, System.CLOUDEVENTS, raw, signed | given)
    assert len(await stored(door)) == 1


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
async def test_a_cloudevent_without_a_required_attribute_is_a_400_that_names_it(door: Api, name: str) -> None:
    raw = as_bytes({key: value for key, value in samples.cloudevent().items() if key != name})
    answer = await post(door, System.CLOUDEVENTS, raw, samples.standard_signed(raw) | CLOUD)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, name)


@pytest.mark.parametrize("header", ["x-github-event", "x-github-delivery"])
async def test_a_github_call_without_its_headers_is_a_400_that_names_one(door: Api, header: str) -> None:
    raw = as_bytes(samples.github())
    headers = samples.github_signed(raw)
    del headers[header]
    answer = await post(door, System.GITHUB, raw, headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, header)
