"""Who is let in by an OpenID issuer: the person whose verified address policy.toml knows, and nobody by any trick."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from billing.errors import BadInput
from records.tokens import Scope, revoke_token
from starter.console.oidc import Client
from starter.console.sessions import signer
from tests.console.conftest import ORIGIN, Browser, browser_at, new_token
from tests.console.issuer import CLIENT_ID, Liar, lying, mock_provider
from tests.starter.conftest import Api, running_api

POLICY = """
[[approvers]]
name = "dana"
email = "Dana@acme.example"
[[approvers]]
name = "robin"
email = "shared@acme.example"
[[approvers]]
name = "sam"
email = "shared@acme.example"
[[approvers]]
name = "kim"
email = "kim@acme.example"
"""
SECRET = "a session secret for tests"
Starting = Callable[..., AbstractAsyncContextManager[Api]]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with mock_provider() as url:
        yield url


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with lying() as running:
        yield running


@pytest.fixture
def starting(tmp_path: Path) -> Starting:
    """The desk with an issuer, and dana's token."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)

    @asynccontextmanager
    async def start(issuer: str, **others: Any) -> AsyncIterator[Api]:
        changes: dict[str, Any] = {
            "policy_file": policy,
            "public_url": ORIGIN,
            "session_secret": SecretStr(SECRET),
            "oidc_issuer": issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": SecretStr("s3cret"),
            **others,
        }
        async with running_api("127.0.0.1:1", tmp_path, **changes) as api:
            await new_token(api, Scope.APPROVE, name="dana")
            yield api

    return start


async def set_out(browser: Browser, to: str = "/desk/zone") -> dict[str, str]:
    """Begin a sign-in; what the browser brings to the issuer."""
    answer = await browser.get("/desk/sign-in/oidc", params={"next": to})
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def back_from(liar: Liar, browser: Browser, **changes: str) -> httpx.Response:
    """A sign-in at the liar, all the way; `changes` to what it sends back."""
    query = await set_out(browser)
    liar.asks(query)
    return await browser.get("/desk/sign-in/return", params={"code": "c", "state": query["state"]} | changes)


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/desk/zone")).status_code == 200


async def test_a_person_whom_the_provider_verifies_is_signed_in_with_the_scopes_of_her_token(
    provider: str, starting: Starting
) -> None:
    async with starting(provider) as api, httpx.AsyncClient() as elsewhere, browser_at(api).http as http:
        browser = Browser(http, api)
        await elsewhere.put(f"{provider}/users/d1", json={"email": "dana@acme.example", "email_verified": True})
        assert "Sign in with your organisation" in (await browser.get("/desk/sign-in")).text
        answer = await browser.get("/desk/sign-in/oidc", params={"next": "/desk/zone?x=1"})
        query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        consent = await elsewhere.post(answer.headers["location"], data={"sub": "d1"})
        assert consent.headers["location"].startswith(f"{ORIGIN}/desk/sign-in/return?")
        back = await browser.get(consent.headers["location"])
        assert (back.status_code, back.headers["location"]) == (303, "/desk/zone?x=1")
        page = await browser.get("/desk/zone")
        assert "<strong>dana</strong>" in page.text
        async with api.database.transaction() as session:
            await revoke_token(session, "dana")
        assert not await is_signed_in(browser)


async def test_the_same_answer_counts_once(liar: Liar, starting: Starting) -> None:
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        query = await set_out(browser)
        liar.asks(query)
        params = {"code": "c", "state": query["state"]}
        assert (await browser.get("/desk/sign-in/return", params=params)).status_code == 303
        again = await browser.get("/desk/sign-in/return", params=params)
        assert again.status_code == 403
        assert "has begun no sign-in" in again.text


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"nonce": "another"}, "(nonce)"),
    "no nonce": ({"nonce": None}, "(nonce)"),
    "for another client": ({"aud": "another"}, "(aud)"),
    "for us and another, by another": ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "(azp)"),
    "of another issuer": ({"iss": "https://another.example"}, "(iss)"),
    "expired": ({"exp": int((datetime.now(UTC) - timedelta(minutes=5)).timestamp())}, "(exp)"),
    "without an end": ({"exp": None}, "(exp)"),
    "from the future": ({"iat": int((datetime.now(UTC) + timedelta(hours=1)).timestamp())}, "(iat)"),
    "not yet": ({"nbf": int((datetime.now(UTC) + timedelta(hours=1)).timestamp())}, "(nbf)"),
    "of another access token": ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "(at_hash)"),
    "an unverified address": ({"email_verified": False}, "not verified"),
    "an address that it says nothing of": ({"email_verified": None}, "not verified"),
    "no address": ({"email": None}, "no e-mail address"),
    "somebody unknown": ({"email": "eve@acme.example"}, "no approver in policy.toml"),
    "an address of two": ({"email": "shared@acme.example"}, "several approvers"),
    "somebody without a token": ({"email": "kim@acme.example"}, "no live token"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_id_token_that_does_not_hold_lets_nobody_in(liar: Liar, starting: Starting, lie: str) -> None:
    liar.claims, word = LIES[lie]
    liar.userinfo = {"sub": "dana"}
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        answer = await back_from(liar, browser)
        assert answer.status_code == 403
        assert word in answer.text
        assert "Next:" in answer.text
        assert not await is_signed_in(browser)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_an_id_token_without_the_issuers_signature_lets_nobody_in(
    liar: Liar, starting: Starting, algorithm: str
) -> None:
    liar.algorithm = algorithm
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        assert (await back_from(liar, browser)).status_code == 403
        assert not await is_signed_in(browser)


async def test_a_key_that_is_not_published_signs_nothing(liar: Liar, starting: Starting) -> None:
    liar.published = [RSAKey.generate_key(2048, {"kid": "k1"})]
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        assert (await back_from(liar, browser)).status_code == 403
        assert not await is_signed_in(browser)


async def test_a_new_key_of_the_issuers_is_fetched_when_it_is_first_seen(liar: Liar, starting: Starting) -> None:
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        assert (await back_from(liar, browser)).status_code == 303
        assert (await back_from(liar, browser)).status_code == 303
        assert [what for what in liar.asked if "token" not in what] == ["discovery", "keys"]
        liar.key = RSAKey.generate_key(2048, {"kid": "k1"})
        assert (await back_from(liar, browser)).status_code == 303
        assert [what for what in liar.asked if "token" not in what] == ["discovery", "keys", "keys"]


async def test_an_address_that_only_userinfo_tells_counts_for_the_same_person_alone(
    liar: Liar, starting: Starting
) -> None:
    liar.claims = {"email": None, "email_verified": None}
    liar.userinfo = {"sub": "somebody else", "email": "dana@acme.example", "email_verified": True}
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        refused = await back_from(liar, browser)
        assert (refused.status_code, "about somebody else" in refused.text) == (403, True)
        liar.userinfo["sub"] = "dana"
        assert (await back_from(liar, browser)).status_code == 303
        assert await is_signed_in(browser)


@pytest.mark.parametrize(
    ("secret", "offered", "told"),
    [
        ("s3cret", ["client_secret_basic"], "token by Basic of "),
        ("s3cret", ["client_secret_post"], f"token by s3cret of {CLIENT_ID}"),
        ("", ["client_secret_basic"], f"token by none of {CLIENT_ID}"),
    ],
)
async def test_our_secret_is_told_the_way_the_issuer_takes_it(
    liar: Liar, starting: Starting, secret: str, offered: list[str], told: str
) -> None:
    liar.discovery = {"token_endpoint_auth_methods_supported": offered}
    async with starting(liar.url, oidc_client_secret=SecretStr(secret)) as api, browser_at(api).http as http:
        assert (await back_from(liar, Browser(http, api))).status_code == 303
        assert told in liar.asked


async def test_an_answer_to_another_browsers_question_is_refused(liar: Liar, starting: Starting) -> None:
    async with starting(liar.url) as api, browser_at(api).http as mine, browser_at(api).http as theirs:
        query = await set_out(Browser(theirs, api))
        liar.asks(query)
        params = {"code": "c", "state": query["state"]}
        assert (await mine.get("/desk/sign-in/return", params=params)).status_code == 403
        await set_out(Browser(mine, api))
        wrong = await mine.get("/desk/sign-in/return", params=params)
        assert (wrong.status_code, "another sign-in" in wrong.text) == (403, True)
        for state in ("", "é"):
            await set_out(Browser(mine, api))
            answer = await mine.get("/desk/sign-in/return", params={"code": "c", "state": state})
            assert answer.status_code == 403


async def test_a_code_that_was_asked_for_elsewhere_does_not_pass_pkce(liar: Liar, starting: Starting) -> None:
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        query = await set_out(browser)
        liar.asks(query | {"code_challenge": "another"})
        answer = await browser.get("/desk/sign-in/return", params={"code": "c", "state": query["state"]})
        assert (answer.status_code, "invalid_grant" in answer.text) == (403, True)


async def test_a_trip_that_took_too_long_or_was_changed_is_refused(liar: Liar, starting: Starting) -> None:
    async with starting(liar.url) as api, browser_at(api).http as http:
        browser = Browser(http, api)
        trips, old = signer(SECRET, "trip"), (datetime.now(UTC) - timedelta(minutes=11)).timestamp()
        trip = {"state": "s", "nonce": "n", "verifier": "v", "wish": "/desk/"}
        late, forged = trips.dumps([old, trip]), signer("another secret", "trip").dumps([old + 660, trip])
        for cookie, word in ((late, "took too long"), (forged, "begun no sign-in")):
            answer = await browser.get(
                "/desk/sign-in/return",
                params={"code": "c", "state": "s"},
                headers={"Cookie": f"billhook_desk_oidc={cookie}"},
            )
            assert (answer.status_code, word in answer.text) == (403, True)


async def test_what_the_issuer_refuses_is_said_as_text(liar: Liar, starting: Starting) -> None:
    async with starting(liar.url) as api, browser_at(api).http as http:
        answer = await back_from(liar, Browser(http, api), code="", error="access_denied<script>\u202e")
        assert answer.status_code == 403
        assert "access_denied&lt;script&gt;" in answer.text
        assert "<script>" not in re.sub(r"<script src=[^>]+>", "", answer.text)
        assert "\u202e" not in answer.text
        mixed = await back_from(liar, Browser(http, api), iss="https://another.example")
        assert (mixed.status_code, "another issuer" in mixed.text) == (403, True)


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://token.example/"},
        {"jwks_uri": None},
    ],
)
async def test_an_issuer_that_publishes_what_cannot_be_right_is_not_used(
    liar: Liar, starting: Starting, published: dict[str, Any]
) -> None:
    liar.discovery = published
    async with starting(liar.url) as api, browser_at(api).http as http:
        answer = await http.get("/desk/sign-in/oidc")
        assert answer.status_code == 503
        assert "sign in with a token" in answer.text


async def test_an_issuer_that_is_away_leaves_the_token(starting: Starting) -> None:
    async with starting("http://127.0.0.1:1") as api, browser_at(api).http as http:
        answer = await http.get("/desk/sign-in/oidc")
        assert answer.status_code == 503
        assert (await http.get("/desk/sign-in")).status_code == 200


async def test_without_an_issuer_there_is_no_way_but_the_token(browser: Browser) -> None:
    assert "organisation" not in (await browser.get("/desk/sign-in")).text
    for path in ("/desk/sign-in/oidc", "/desk/sign-in/return?code=c&state=s"):
        assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize("issuer", ["http://issuer.example", "issuer.example", "ftp://127.0.0.1"])
def test_an_issuer_is_reached_by_https(issuer: str) -> None:
    with pytest.raises(BadInput, match="oidc_issuer"):
        Client(issuer=issuer, id="us", secret="", redirect_uri=ORIGIN)


def test_an_issuer_needs_our_name() -> None:
    with pytest.raises(BadInput, match="oidc_client_id"):
        Client(issuer="https://issuer.example", id="", secret="", redirect_uri=ORIGIN)
