"""A person at the desk in a real Chromium, in front of the whole stack.

Debian's browser, or whichever is found, driven by Playwright, which brings none of its own here. What a page's
security policy refused and every error of a script is kept, so that each test can say that there was none.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Dialog, Locator, Page, async_playwright

from records.tokens import Scope
from tests.stack import Stack

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# It asks nobody but the desk.
_AXE: Final = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
_LISTEN: Final = """
document.addEventListener("securitypolicyviolation", (it) => refused(`${it.violatedDirective} ${it.blockedURI}`));
"""
_SIZE: Final = {"width": 1280, "height": 900}


def chromium() -> str:
    """The path of a browser. Skips the test where there is none, and fails it in CI."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = "no Chromium on this machine: install the package chromium (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*_QUIET])
        yield browser
        await browser.close()


@dataclass
class Person:
    """Somebody at a browser of his own. `troubles` is what no page of ours may cause."""

    name: str
    page: Page
    stack: Stack
    troubles: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.stack.settings.public_url

    async def go(self, path: str) -> None:
        answer = await self.page.goto(f"{self.address}{path}")
        assert answer is not None
        assert answer.status == 200, f"{path} answers {answer.status}"

    async def sign_in(self, wish: str = "/desk/") -> None:
        await self.go(f"/desk/sign-in?next={wish}")
        await self.page.get_by_label("Your token").fill(self.stack.tokens[self.name])
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_text("Signed in as").wait_for()

    async def open(self, key: str) -> None:
        await self.go(f"/desk/invoices/{key}")

    def row(self, key: str) -> Locator:
        """The row of a list that is about `key`."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=key, exact=True))

    def sheet(self) -> Locator:
        """The dialog with a form of a decision."""
        return self.page.get_by_role("dialog")

    async def said(self, words: str) -> None:
        """A message on the page."""
        await self.page.locator("#messages").get_by_text(words).wait_for()

    async def axe(self) -> list[str]:
        """What axe finds against WCAG 2.2 A and AA on the page as it stands."""
        found = await Axe().run(self.page, options=_AXE)
        return [
            f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:3]}"
            for one in found.response["violations"]
        ]


@asynccontextmanager
async def at_the_desk(
    browser: Browser, stack: Stack, name: str, *scopes: Scope, **options: Any
) -> AsyncIterator[Person]:
    """A person with a token of these scopes, in a browser without cookies; at the end there was no trouble."""
    await stack.token(name, *scopes)
    context = await browser.new_context(**{"viewport": _SIZE, "timezone_id": "Europe/Berlin", **options})
    context.set_default_timeout(15_000)
    page = await context.new_page()
    person = Person(name, page, stack)

    async def unasked(dialog: Dialog) -> None:
        person.troubles.append(f"a dialog said {dialog.message!r}")
        await dialog.dismiss()

    await context.expose_function("refused", lambda words: person.troubles.append(f"policy refused {words}"))
    await context.add_init_script(_LISTEN)
    page.on("pageerror", lambda error: person.troubles.append(f"error {error}"))
    page.on("dialog", unasked)
    yield person
    await context.close()
    assert person.troubles == []


async def shot(page: Page, path: Path, tallest: int) -> None:
    """The page as a file, from its top to `tallest` pixels at most."""
    width, height = await page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    clip: Any = {"x": 0, "y": 0, "width": width, "height": min(height, tallest)}
    await page.screenshot(path=path, full_page=True, clip=clip, animations="disabled")
