"""What every answer of the desk has: its headers, its words, its files; and no template that asks for more."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from sqlalchemy.exc import OperationalError

import starter.console
from records.tokens import Scope
from starter.console.assets import Assets
from starter.console.headers import HEADERS
from starter.http.headers import ANSWERS
from tests.console.conftest import ORIGIN, Browser, browser_at
from tests.console.test_desk_forms import desk_routes, filled
from tests.starter.conftest import Api

FOLDER: Final = Path(starter.console.__file__).parent
TEMPLATES: Final = sorted((FOLDER / "templates").rglob("*.html"))
_JINJA: Final = re.compile(r"{%.*?%}|{#.*?#}|{{.*?}}", re.DOTALL)
_ADDRESS: Final = {"href", "src", "action", "formaction", "srcset", "poster", "data", "hx-get", "hx-post"}


async def test_every_answer_has_the_desks_headers(browser: Browser) -> None:
    answers = [await browser.get(path) for path in ("/desk", "/desk/", "/desk/sign-in", "/desk/static/x/desk.css")]
    answers += [await browser.http.request(verb, "/desk/zone") for verb in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD")]
    answers.append(await browser.http.post("/desk/zone", content=b"x" * 2_000_000))
    await browser.sign_in(Scope.ADMIN)
    answers += [await browser.get(filled(route)) for route in desk_routes(browser.api)]
    answers.append(await browser.http.post("/desk/zone"))
    for answer in answers:
        where = (answer.request.method, answer.request.url.path, answer.status_code)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, where
        assert answer.headers["cache-control"] == "no-store", where
    assert {answer.status_code for answer in answers} >= {200, 303, 308, 403, 404, 405, 413}


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert set(re.findall(r"'[a-z-]+'|https?:|\*", policy)) == {"'none'", "'self'"}


async def test_a_state_that_there_is_not_is_said_so_beside_all_invoices(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    page = (await browser.get("/desk/invoices?status=wr<b>ong")).text
    assert "There is no state wr&lt;b&gt;ong: invoices in any state are shown." in page
    for known in ("", "?status=", "?status=sent"):
        assert "There is no state" not in (await browser.get(f"/desk/invoices{known}")).text


async def test_the_api_keeps_its_own_headers(browser: Browser) -> None:
    answer = await browser.get("/healthz")
    assert {name: answer.headers.get(name) for name in ANSWERS} == ANSWERS


async def test_files_are_kept_for_good_under_their_contents_hash(browser: Browser) -> None:
    assets = Assets.load()
    assert {"desk.css", "desk.js", "htmx.min.js", "htmx.LICENSE.txt", "mark.svg"} <= set(assets.files)
    for name, file in assets.files.items():
        answer = await browser.get(assets.url(name))
        assert (answer.status_code, answer.content) == (200, file.body)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == file.content_type
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers
        stale = await browser.get(assets.url(name).replace(file.digest, "0" * len(file.digest)))
        assert (stale.status_code, stale.headers["cache-control"]) == (404, "no-store")
    for name in ("../desk.py", "..%2fdesk.py", "desk.py", ""):
        assert (await browser.get(f"/desk/static/x/{name}")).status_code in {303, 404}


class Strict(HTMLParser):
    """Collects what a template must not have."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.wrong.append(f"inline <{tag}>")
        if tag in {"iframe", "object", "embed", "base"}:
            self.wrong.append(f"<{tag}>")
        for name, value in given.items():
            if name.startswith(("on", "hx-on")) or name == "style" or value.strip().startswith(("js:", "javascript:")):
                self.wrong.append(f"{tag} {name}")
            if name in _ADDRESS and (urlsplit(value).scheme or value.startswith("//")):
                self.wrong.append(f"{tag} {name}={value}")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_a_script_a_style_or_an_address_of_elsewhere(template: Path) -> None:
    text = template.read_text()
    strict = Strict()
    strict.feed(_JINJA.sub(" ", text))
    assert strict.wrong == []
    assert not re.search(r"\|\s*safe\b|autoescape\s+false|Markup", text), "autoescape holds everywhere"
    # The SVG namespace names a language and is fetched by nobody.
    assert not re.search(r"https?://(?!www\.w3\.org/)", _JINJA.sub(" ", text))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_posts_carries_the_secret(template: Path) -> None:
    for form in re.findall(r"<form\b.*?</form>", template.read_text(), re.DOTALL):
        assert "csrf_field()" in form or 'method="post"' not in form, form


@pytest.mark.parametrize("name", sorted(set(Assets.load().files) - {"htmx.min.js", "htmx.LICENSE.txt"}))
def test_our_own_files_fetch_nothing_from_elsewhere(name: str) -> None:
    text = (FOLDER / "static" / name).read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\(|eval\(|innerHTML|insertAdjacentHTML", text)


async def test_htmx_writes_no_style_and_runs_no_text(browser: Browser) -> None:
    page = (await browser.get("/desk/sign-in")).text
    for setting in ('"allowEval": false', '"includeIndicatorStyles": false', '"allowScriptTags": false'):
        assert setting in page


async def test_a_refusal_is_a_page_with_its_cause_and_a_next_step(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    missing = await browser.get("/desk/nowhere", headers={"Referer": f"{ORIGIN}/desk/zone"})
    assert missing.status_code == 404
    assert "no page /desk/nowhere" in missing.text
    assert "Next:" in missing.text
    assert 'href="/desk/zone">Back' in missing.text
    unreadable = await browser.post("/desk/zone", {"zone": "Nowhere/At_all"})
    assert (unreadable.status_code, "choose one such as" in unreadable.text) == (422, True)
    wrong = await browser.http.put("/desk/zone")
    assert (wrong.status_code, wrong.headers["content-type"][:9]) == (405, "text/html")


async def test_htmx_gets_a_refusal_as_a_message_in_its_page(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    answer = await browser.get("/desk/nowhere", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert answer.headers["hx-retarget"] == "#messages"
    assert answer.text.lstrip().startswith('<div class="message bad" role="alert">')
    assert "<html" not in answer.text


async def test_htmx_without_a_session_is_sent_to_sign_in(browser: Browser) -> None:
    answer = await browser.get("/desk/x", headers={"HX-Request": "true", "Referer": f"{ORIGIN}/desk/zone"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/desk/sign-in?next=/desk/zone")


async def test_a_database_that_is_away_is_said_in_words(desk: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async with browser_at(desk).http as http:
        browser = Browser(http, desk)
        await browser.sign_in(Scope.READ)

        def away() -> None:
            raise OperationalError("SELECT", {}, OSError("away"))

        monkeypatch.setattr(desk.database, "session", away)
        answer = await browser.get("/desk/zone")
        assert answer.status_code == 503
        assert "our database does not answer" in answer.text
        assert "/readyz" not in answer.text


async def test_a_fault_of_ours_is_a_page_that_tells_nothing_of_it(desk: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(desk.database, "session", broken)
    async with browser_at(desk).http as http:
        browser = Browser(http, desk)
        answer = await browser.post("/desk/sign-in", {"token": "bh_x"}, page="/desk/sign-in")
    assert answer.status_code == 500
    assert "a secret of ours" not in answer.text
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


async def test_a_message_is_shown_once(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    await browser.post("/desk/zone", {"zone": "Asia/Tokyo"})
    words = "Times are shown in Asia/Tokyo"
    assert words in (await browser.get("/desk/zone")).text
    assert words not in (await browser.get("/desk/zone")).text


async def test_a_forged_message_is_not_shown(browser: Browser) -> None:
    answer = await browser.get("/desk/sign-in", headers={"Cookie": 'billhook_desk_flash=[["ok","call 555 now"]].x'})
    assert "call 555" not in answer.text


async def test_a_reader_chooses_his_zone_and_a_cookie_can_hold_anything(browser: Browser) -> None:
    await browser.sign_in(Scope.READ)
    assert "zone-proposal" in (await browser.get("/desk/zone")).text
    await browser.post("/desk/zone", {"zone": "America/New_York"})
    page = (await browser.get("/desk/zone")).text
    assert re.search(r"It is <time [^>]+>\d+ \w+ \d{4}, \d\d:\d\d E[SD]T</time>", page)
    assert "zone-proposal" not in page
    for cookie in ("../../etc/passwd", "Europe", "Mars/Olympus", "%00", "a" * 3000):
        browser.http.cookies.set("billhook_desk_zone", cookie, domain="billhook.local", path="/desk")
        answer = await browser.get("/desk/zone", headers={"Cookie": f"billhook_desk_zone={cookie}"})
        assert answer.status_code in {200, 303}
