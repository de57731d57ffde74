"""The desk is for everybody: WCAG A and AA on every page as axe sees it, the whole path by keyboard, and strangers'
words as plain text."""

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from records.tokens import Scope
from tests.console import world
from tests.console.browser import Person
from tests.console.office import Office, office
from tests.nasty import KEPT, MESSAGE, assert_plain

__all__ = ["office"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES: Final = (
    "/desk/",
    "/desk/?q=nothing-fits-this",
    "/desk/invoices",
    "/desk/invoices/{waiting}",
    "/desk/invoices/{waiting}/do/approve",
    "/desk/invoices/{waiting}/do/approve-edited",
    "/desk/invoices/{waiting}/do/reject",
    "/desk/invoices/{waiting}/do/delegate",
    "/desk/invoices/{waiting}/do/cancel",
    "/desk/invoices/{asked}",
    "/desk/invoices/{asked}/do/accept?case={case}",
    "/desk/invoices/{asked}/do/accept-edited?case={case}",
    "/desk/invoices/{asked}/do/decline?case={case}",
    "/desk/invoices/{asked}/do/take?case={case}",
    "/desk/invoices/{second}",
    "/desk/invoices/{parked}",
    "/desk/invoices/{parked}/do/retry",
    "/desk/invoices/{parked}/do/abandon",
    "/desk/repair",
    "/desk/runs",
    "/desk/events",
    "/desk/events?fate=all",
    "/desk/dashboard",
    "/desk/zone",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(office: Office) -> AsyncIterator[dict[str, str]]:
    """One invoice in each state that looks its own way."""
    stack = office.stack
    asked = await world.change_requested(stack, MESSAGE, line_items=world.PROPOSED, payment_terms="net_45")
    second = await world.change_requested(stack, "Please split it", line_items=world.PROPOSED)
    await world.accepted(stack, second)
    await world.approved(stack, second)
    parked = await world.parked(stack)
    await world.quarantined(stack, second)
    yield {
        "waiting": await world.to_approve(stack),
        "asked": asked,
        "case": (await stack.invoice(asked))["cases"][0]["id"],
        "second": second,
        "parked": parked,
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_violates_wcag_a_or_aa(office: Office, keys: dict[str, str], scheme: str) -> None:
    found = {}
    async with office.person("ada", Scope.ADMIN, color_scheme=scheme) as ada:
        await ada.go("/desk/sign-in")
        found["/desk/sign-in"] = await ada.axe()
        await ada.sign_in()
        for path in PAGES:
            await ada.go(path.format(**keys))
            await ada.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            found[path] = await ada.axe()
        await ada.go("/desk/")
        await ada.row(keys["waiting"]).get_by_role("link", name="Approve").click()
        await ada.sheet().get_by_role("button", name="Approve").wait_for()
        found["the sheet"] = await ada.axe()
        await ada.page.goto(f"{ada.address}/desk/invoices/nowhere")
        found["a page that is not there"] = await ada.axe()
    assert {path: violations for path, violations in found.items() if violations} == {}


async def test_a_narrow_window_and_large_type_lose_nothing(office: Office, keys: dict[str, str]) -> None:
    """WCAG 1.4.10: 320 CSS pixels, and nothing is to be scrolled to the side but tables in their own frame."""
    size = {"width": 320, "height": 640}
    async with office.person("ada", Scope.ADMIN, viewport=size) as ada:
        await ada.sign_in()
        wide = {}
        for path in PAGES:
            await ada.go(path.format(**keys))
            wide[path] = await ada.page.evaluate("document.documentElement.scrollWidth")
    assert {path: width for path, width in wide.items() if width > 320} == {}


async def test_the_whole_path_goes_by_keyboard_alone(office: Office) -> None:
    key = await world.to_approve(office.stack)
    async with office.person("kim", Scope.APPROVE) as kim:
        keyboard = kim.page.keyboard
        await kim.go("/desk/sign-in")
        await _tab_to(kim, "Your token")
        await keyboard.type(office.stack.tokens["kim"])
        await keyboard.press("Enter")
        await kim.page.get_by_text("Signed in as").wait_for()
        await keyboard.press("Tab")
        assert await _focused(kim) == "Skip to the content"
        await keyboard.press("Enter")
        assert await kim.page.evaluate("document.activeElement.id") == "main"
        await keyboard.press("/")
        await keyboard.type(key.split(":")[1])
        await kim.page.get_by_role("status").get_by_text("1 shown").wait_for(state="attached")
        await keyboard.press("Tab")
        await kim.page.evaluate("document.activeElement.blur()")
        await keyboard.press("j")
        assert await _focused(kim) == key
        await _tab_to(kim, f"Approve {key}")
        await keyboard.press("Enter")
        await kim.sheet().get_by_role("button", name="Approve").wait_for()
        await _tab_to(kim, "Note")
        await keyboard.type("by keyboard")
        await _tab_to(kim, "Approve")
        assert await _outlined(kim)
        await keyboard.press("Enter")
        await kim.said("Approve: done.")
    (decision,) = (await office.stack.until(key, "sent"))["decisions"]
    assert (decision["actor"], decision["note"]) == ("kim", "by keyboard")


async def test_escape_closes_the_sheet_and_the_focus_is_where_it_was(office: Office) -> None:
    key = await world.to_approve(office.stack)
    async with office.person("kim", Scope.APPROVE) as kim:
        await kim.sign_in()
        await _tab_to(kim, f"Approve {key}", most=400)
        await kim.page.keyboard.press("Enter")
        await kim.sheet().get_by_role("button", name="Approve").wait_for()
        await kim.page.keyboard.press("Escape")
        await kim.sheet().wait_for(state="hidden")
        assert await _focused(kim) == f"Approve {key}"


async def test_a_strangers_words_are_plain_text_wherever_they_are_shown(office: Office, keys: dict[str, str]) -> None:
    """`troubles` of the person, checked as he leaves, hold that no script ran and that no policy had to refuse one."""
    paths = ("/desk/", "/desk/invoices/{asked}", "/desk/invoices/{asked}/do/decline?case={case}")
    async with office.person("ada", Scope.ADMIN) as ada:
        await ada.sign_in()
        for path in paths:
            await ada.go(path.format(**keys))
            await ada.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            shown = await ada.page.locator("main").inner_text()
            assert_plain(shown.replace("\N{NO-BREAK SPACE}", " "))
            assert all(kept in shown for kept in KEPT), path
            assert await ada.page.locator("main script, main img, main a[href^=javascript]").count() == 0
            assert await ada.page.evaluate("document.title") == await ada.page.title()
    assert (await office.stack.invoice(keys["asked"]))["decisions"] == []


async def _focused(person: Person) -> str:
    """The name of what has the focus, as it is read out."""
    script = """() => {
        const it = document.activeElement;
        return (it.getAttribute("aria-label") || it.labels?.[0]?.textContent || it.textContent || "");
    }"""
    return re.sub(r"\s+", " ", str(await person.page.evaluate(script))).strip()


async def _outlined(person: Person) -> bool:
    """Whether the focus can be seen."""
    return str(await person.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")) != "none"


async def _tab_to(person: Person, name: str, most: int = 60) -> None:
    for _ in range(most):
        if await _focused(person) == name:
            return
        await person.page.keyboard.press("Tab")
    raise AssertionError(f"{most} tabs reach no {name!r}; now at {await _focused(person)!r}")
