"""Who is let in with a token, for how long, and what ends it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from records.tokens import Scope, find_named, revoke_token
from starter.console.attempts import TRIES, WINDOW_S, Attempts, TooManyAttempts
from starter.console.problems import local_path
from starter.console.sessions import IDLE, LIFE, Sessions
from tests.console.conftest import Browser, browser_at, new_token
from tests.starter.conftest import Api, running_api

SECRET = "a session secret for tests"
COOKIE = "billhook_desk"


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/desk/zone")).status_code == 200


@pytest.mark.parametrize("scope", [Scope.READ, Scope.APPROVE, Scope.ADMIN])
async def test_a_token_that_may_look_signs_in(browser: Browser, scope: Scope) -> None:
    name = await browser.sign_in(scope)
    answer = await browser.get("/desk/zone")
    assert answer.status_code == 200
    assert f"<strong>{name}</strong>" in answer.text


async def test_a_token_that_may_not_look_is_refused_and_told_so(browser: Browser) -> None:
    _, secret = await new_token(browser.api, Scope.TRIGGER)
    answer = await browser.post("/desk/sign-in", {"token": secret}, page="/desk/sign-in")
    assert answer.status_code == 403
    assert "may not look" in answer.text
    assert secret not in answer.text
    assert not await is_signed_in(browser)


@pytest.mark.parametrize("given_token", ["", "bh_nobody", " ", "bh_" + "x" * 190, "é"])
async def test_what_is_no_live_token_signs_nobody_in(browser: Browser, given_token: str) -> None:
    answer = await browser.post("/desk/sign-in", {"token": given_token}, page="/desk/sign-in")
    assert answer.status_code == 401
    assert "not known, or was revoked" in answer.text
    assert not await is_signed_in(browser)


async def test_a_stranger_is_sent_to_sign_in_and_back_to_where_he_wanted(browser: Browser) -> None:
    answer = await browser.get("/desk/zone?x=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/desk/sign-in?next=/desk/zone%3Fx%3D1"
    _, secret = await new_token(browser.api, Scope.READ)
    form = {"token": f" {secret}\n", "next": "/desk/zone?x=1"}
    welcomed = await browser.post("/desk/sign-in", form, page=answer.headers["location"])
    assert (welcomed.status_code, welcomed.headers["location"]) == (303, "/desk/zone?x=1")


async def test_a_stranger_learns_of_no_page_whether_there_is_one(browser: Browser) -> None:
    for path in ("/desk/", "/desk/zone", "/desk/no/such/page"):
        answer = await browser.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/desk/sign-in?next=")
    await browser.sign_in(Scope.READ)
    assert (await browser.get("/desk/no/such/page")).status_code == 404


async def test_the_desk_has_one_address(browser: Browser) -> None:
    answer = await browser.get("/desk")
    assert (answer.status_code, answer.headers["location"]) == (308, "/desk/")
    root = await browser.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "/desk/")


AWAY = ["https://evil.example/desk/", "//evil.example/desk/", "/\\evil.example", "/invoices", "javascript:alert(1)",
        "/desk//evil.example", "/desk/\n//evil", "/desk/sign-in?next=/desk/", "", "/deskevil", "/desk/é"]  # fmt: skip


@pytest.mark.parametrize("wish", AWAY)
async def test_after_sign_in_nobody_is_sent_to_another_site(browser: Browser, wish: str) -> None:
    _, secret = await new_token(browser.api, Scope.READ)
    answer = await browser.post("/desk/sign-in", {"token": secret, "next": wish}, page="/desk/sign-in")
    assert (answer.status_code, answer.headers["location"].startswith("/desk/")) == (303, True)
    assert "evil" not in answer.headers["location"].partition("/desk/")[0]
    assert "//" not in answer.headers["location"]


@given(st.text(max_size=60))
def test_any_wish_becomes_a_path_of_the_desk(wish: str) -> None:
    path = local_path(wish)
    assert path.startswith("/desk/")
    assert path.isascii()
    assert path.isprintable()


async def test_a_revoked_token_ends_its_sessions_at_once(browser: Browser) -> None:
    name = await browser.sign_in(Scope.APPROVE)
    assert await is_signed_in(browser)
    async with browser.api.database.transaction() as session:
        await revoke_token(session, name)
    answer = await browser.get("/desk/zone")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/sign-in?next=/desk/zone")
    assert "was revoked" in (await browser.get(answer.headers["location"])).text


async def test_a_new_token_of_the_same_name_does_not_open_the_old_ones_session(browser: Browser) -> None:
    name = await browser.sign_in(Scope.APPROVE)
    async with browser.api.database.transaction() as session:
        await revoke_token(session, name)
    await new_token(browser.api, Scope.ADMIN, name=name)
    assert not await is_signed_in(browser)


async def test_signing_out_ends_the_session_and_its_forms(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    before = await browser.secret_of("/desk/zone")
    answer = await browser.post("/desk/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/sign-in")
    assert "You are signed out" in (await browser.get("/desk/sign-in")).text
    assert not await is_signed_in(browser)
    assert await browser.secret_of("/desk/sign-in") != before


async def test_signing_in_takes_a_session_of_another_name(browser: Browser) -> None:
    before = await browser.secret_of("/desk/sign-in")
    await browser.sign_in(Scope.READ)
    assert await browser.secret_of("/desk/zone") != before


def clock_at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: moment


async def test_a_session_ends_after_its_life_and_after_idleness(tmp_path: Path) -> None:
    async with running_api("127.0.0.1:1", tmp_path, session_secret=SecretStr(SECRET)) as api:
        name, _ = await new_token(api, Scope.READ)
        async with api.database.session() as records:
            found = await find_named(records, name)
        assert found
        for age, seen, lives in (
            (LIFE - timedelta(minutes=1), timedelta(0), True),
            (LIFE, timedelta(0), False),
            (timedelta(hours=2), IDLE - timedelta(minutes=1), True),
            (timedelta(hours=2), IDLE, False),
        ):
            now = datetime.now(UTC)
            sessions = Sessions(SECRET, clock_at(now - age))
            session = sessions.begin(found.sha256).model_copy(update={"seen": now - seen})
            async with browser_at(api).http as http:
                answer = await http.get("/desk/zone", headers={"Cookie": f"{COOKIE}={sessions.write(session)}"})
                assert (answer.status_code == 200) is lives, (age, seen)
                # A session that goes on is seen now; its beginning stays.
                renewed = sessions.read(answer.cookies.get(COOKIE)) if seen and lives else None
                assert not renewed or (renewed.began == session.began and renewed.seen > session.seen)


@pytest.mark.parametrize("secret", ["another secret", ""])
async def test_a_cookie_that_was_not_signed_here_is_a_strangers(browser: Browser, secret: str) -> None:
    name, _ = await new_token(browser.api, Scope.ADMIN)
    async with browser.api.database.session() as records:
        found = await find_named(records, name)
    assert found
    forging = Sessions(secret, lambda: datetime.now(UTC))
    answer = await browser.get(
        "/desk/zone", headers={"Cookie": f"{COOKIE}={forging.write(forging.begin(found.sha256))}"}
    )
    assert answer.status_code == 303


async def test_a_changed_cookie_is_a_strangers(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    cookie = browser.http.cookies[COOKIE]
    for at in range(0, len(cookie), 7):
        changed = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        browser.http.cookies.clear()
        answer = await browser.get("/desk/zone", headers={"Cookie": f"{COOKIE}={changed}"})
        assert answer.status_code == 303, at


@given(st.text(max_size=200))
def test_no_cookie_makes_the_sessions_stumble(cookie: str) -> None:
    assert Sessions(SECRET, lambda: datetime.now(UTC)).read(cookie) is None


@pytest.mark.parametrize(("public_url", "secure"), [("https://bill.example", True), ("http://127.0.0.1:8400", False)])
async def test_cookies_go_to_the_desk_alone_and_over_https_where_there_is_any(
    tmp_path: Path, public_url: str, secure: bool
) -> None:
    async with running_api("127.0.0.1:1", tmp_path, public_url=public_url) as api, browser_at(api).http as http:
        cookie = (await http.get("/desk/sign-in")).headers["set-cookie"]
        parts = set(cookie.split("; ")[1:])
        assert parts == {"Path=/desk", "HttpOnly", "SameSite=Lax"} | ({"Secure"} if secure else set())


async def test_an_address_that_guesses_has_to_wait_and_others_do_not(desk: Api) -> None:
    async with browser_at(desk, client=("203.0.113.7", 1)).http as http, browser_at(desk).http as other:
        guesser, person = Browser(http, desk), Browser(other, desk)
        for _ in range(TRIES):
            refused = await guesser.post("/desk/sign-in", {"token": "bh_guess"}, page="/desk/sign-in")
            assert refused.status_code == 401
        _, secret = await new_token(desk, Scope.READ)
        answer = await guesser.post("/desk/sign-in", {"token": secret}, page="/desk/sign-in")
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= WINDOW_S
        assert "try again in" in answer.text
        await person.sign_in(Scope.READ)


async def test_a_good_sign_in_counts_for_nothing(browser: Browser) -> None:
    for _ in range(TRIES + 2):
        await browser.sign_in(Scope.READ)
        await browser.post("/desk/sign-out")


def test_tries_are_forgotten_after_their_time_and_an_ipv6_customer_is_one_address() -> None:
    now = 0.0
    attempts = Attempts(lambda: now)
    for tail in range(TRIES):
        attempts.count(f"2001:db8::{tail:x}")
    with pytest.raises(TooManyAttempts):
        attempts.count("2001:db8::ffff")
    attempts.count("2001:db8:0:1::1")
    now = WINDOW_S
    attempts.count("2001:db8::ffff")


async def test_a_session_is_renewed_without_a_word_about_it(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    quiet: Any = (await browser.get("/desk/zone")).headers.get("set-cookie")
    assert quiet is None
