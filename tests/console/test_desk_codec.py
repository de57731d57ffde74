"""The codec server opens payloads for those who may decide, on the page of the Temporal UI, and for nobody else."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload

from billing.payload_keys import PayloadKeys, new_key
from connectors.payloads import SealingCodec
from records.tokens import Scope, revoke_token
from tests.console.conftest import Browser, browser_at, new_token
from tests.starter.conftest import Api, running_api

UI: Final = "http://temporal.example:8233"
KEY: Final = new_key("2026-11")
CLEAR: Final = Payload(metadata={"encoding": b"json/plain"}, data=b'{"approver": "dana"}')


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser at a desk with keys, whose Temporal UI is elsewhere."""
    given: dict[str, Any] = {"payload_keys": SecretStr(KEY), "temporal_ui_url": f"{UI}/"}
    async with running_api("127.0.0.1:1", tmp_path, **given) as api:
        found = browser_at(api)
        async with found.http:
            yield found


def body(*payloads: Payload) -> dict[str, Any]:
    """As the UI writes it."""

    def text(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    return {
        "payloads": [
            {"metadata": {name: text(value) for name, value in one.metadata.items()}, "data": text(one.data)}
            for one in payloads
        ]
    }


async def sealed() -> dict[str, Any]:
    return body(*await SealingCodec(PayloadKeys.parse(KEY)).encode([CLEAR]))


async def asked(browser: Browser, what: str = "decode", **headers: str) -> httpx.Response:
    given = {"Origin": UI, "X-Namespace": "default", **headers}
    content = json.dumps(await sealed() if what == "decode" else body(CLEAR))
    sent = {name: value for name, value in given.items() if value}
    return await browser.http.post(f"/desk/codec/{what}", content=content, headers=sent)


async def bearer(api: Api, *scopes: Scope) -> str:
    return f"Bearer {(await new_token(api, *scopes))[1]}"


async def test_who_may_decide_and_is_signed_in_sees_payloads_on_the_page_of_the_ui(keyed: Browser) -> None:
    name = await keyed.sign_in(Scope.APPROVE)
    answer = await asked(keyed)
    assert answer.json() == body(CLEAR)
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["cache-control"] == "no-store"
    async with keyed.api.database.transaction() as session:
        await revoke_token(session, name)
    assert (await asked(keyed)).status_code == 401


async def test_what_he_sends_from_the_ui_is_sealed_and_opens_as_it_was(keyed: Browser) -> None:
    await keyed.sign_in(Scope.APPROVE)
    made = (await asked(keyed, "encode")).json()
    assert "dana" not in base64.b64decode(made["payloads"][0]["data"]).decode(errors="replace")
    opened = await keyed.http.post("/desk/codec/decode", json=made, headers={"Origin": UI})
    assert opened.json() == body(CLEAR)


async def test_a_stranger_a_reader_and_an_agent_see_nothing(keyed: Browser) -> None:
    assert (await asked(keyed)).status_code == 401
    assert (await asked(keyed, Authorization="Bearer bh_guess")).status_code == 401
    assert (await asked(keyed, Authorization=await bearer(keyed.api, Scope.READ))).status_code == 403
    await keyed.sign_in(Scope.READ)
    for what in ("decode", "encode"):
        answer = await asked(keyed, what)
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)


@pytest.mark.parametrize("origin", ["http://evil.example", "http://temporal.example", f"{UI}.evil.example", "null", ""])
async def test_no_page_from_elsewhere_rides_on_the_cookie(keyed: Browser, origin: str) -> None:
    await keyed.sign_in(Scope.ADMIN)
    answer = await asked(keyed, Origin=origin)
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)
    may = await keyed.http.options("/desk/codec/decode", headers={"Origin": origin or "x"})
    assert (may.status_code, "access-control-allow-origin" in may.headers) == (403, False)


async def test_the_browser_is_told_that_the_ui_may_call(keyed: Browser) -> None:
    may = await keyed.http.options(
        "/desk/codec/encode", headers={"Origin": UI, "Access-Control-Request-Method": "POST"}
    )
    assert (may.status_code, may.headers["access-control-allow-origin"]) == (204, UI)
    assert may.headers["access-control-allow-methods"] == "POST"
    assert may.headers["access-control-allow-headers"] == "authorization, content-type, x-namespace"


async def test_a_program_brings_a_token_and_no_origin(keyed: Browser) -> None:
    token = await bearer(keyed.api, Scope.APPROVE)
    assert (await asked(keyed, Origin="", Authorization=token)).json() == body(CLEAR)
    assert (await asked(keyed, Origin="http://evil.example", Authorization=token)).status_code == 403


async def test_a_key_that_is_not_held_and_a_body_that_is_none_are_told(keyed: Browser) -> None:
    token = await bearer(keyed.api, Scope.APPROVE)
    (strange,) = await SealingCodec(PayloadKeys.parse(new_key("2020-01"))).encode([CLEAR])
    unknown = await keyed.http.post("/desk/codec/decode", json=body(strange), headers={"Authorization": token})
    assert (unknown.status_code, unknown.json()["type"]) == (503, "urn:billhook:unknown-payload-key")
    for content in (b"{", b'{"payloads": 1}', b'{"payloads": [{"data": 5}]}'):
        answer = await keyed.http.post("/desk/codec/decode", content=content, headers={"Authorization": token})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:billhook:malformed")


async def test_without_keys_and_without_a_ui_payloads_stay_as_they_are_and_no_page_may_ask(desk: Api) -> None:
    plain = browser_at(desk)
    async with plain.http:
        token = await bearer(desk, Scope.APPROVE)
        for what in ("decode", "encode"):
            answer = await plain.http.post(f"/desk/codec/{what}", json=body(CLEAR), headers={"Authorization": token})
            assert answer.json() == body(CLEAR)
        assert (await plain.http.options("/desk/codec/decode", headers={"Origin": UI})).status_code == 403
