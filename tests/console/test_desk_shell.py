"""The frame in a real browser: the reader's zone, keys, a question before a form is sent; and no script at all."""

import re

import pytest
from playwright.async_api import expect

from records.tokens import Scope
from tests.console.browser import Person
from tests.console.office import Office, dana, office

__all__ = ["dana", "office"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_browsers_zone_is_proposed_once(office: Office) -> None:
    async with office.person("nell", Scope.READ, timezone_id="America/New_York") as nell:
        await nell.sign_in("/desk/zone")
        proposal = nell.page.locator("#zone-proposal")
        await expect(proposal).to_contain_text("Your browser is in America/New_York")
        await nell.page.get_by_role("button", name="Show times there").click()
        await nell.said("Times are shown in America/New_York")
        await expect(nell.page.locator("main time")).to_have_text(re.compile(r"\d\d:\d\d E[SD]T$"))
        await expect(proposal).to_have_count(0)
        assert await nell.axe() == []


async def test_a_reader_may_keep_the_desks_zone(office: Office) -> None:
    async with office.person("otto", Scope.READ, timezone_id="Asia/Tokyo") as otto:
        await otto.sign_in("/desk/zone")
        await otto.page.get_by_role("button", name="Keep UTC").click()
        await otto.said("Times are shown in UTC")
        await expect(otto.page.locator("#zone-proposal")).to_have_count(0)


async def test_the_keys_are_listed_and_can_be_turned_off(dana: Person) -> None:
    keys = dana.page.get_by_role("dialog", name="Keyboard shortcuts")
    await dana.page.keyboard.press("?")
    await expect(keys).to_be_visible()
    assert await dana.axe() == []
    await keys.get_by_label("Use single-key shortcuts").uncheck()
    await keys.get_by_role("button", name="Close").click()
    await expect(keys).to_be_hidden()
    await dana.page.keyboard.press("?")
    await expect(keys).to_be_hidden()
    await dana.page.get_by_role("button", name="Keyboard shortcuts").click()
    await expect(keys).to_be_visible()


async def test_a_form_that_asks_first_is_sent_after_a_yes_and_not_before(dana: Person) -> None:
    await dana.page.eval_on_selector(".person form", "form => { form.dataset.confirm = 'Leave the desk?'; }")
    question = dana.page.get_by_role("dialog", name="Leave the desk?")
    await dana.page.get_by_role("button", name="Sign out").click()
    await expect(question).to_be_visible()
    await question.get_by_role("button", name="No, go back").click()
    await expect(dana.page.get_by_text("Signed in as")).to_be_visible()
    await dana.page.get_by_role("button", name="Sign out").click()
    await question.get_by_role("button", name="Yes").click()
    await dana.said("You are signed out")


async def test_the_frame_works_without_a_script(office: Office) -> None:
    async with office.person("rosa", Scope.READ, java_script_enabled=False) as rosa:
        await rosa.sign_in("/desk/zone")
        await rosa.page.get_by_label("Show times in").select_option("Asia/Tokyo")
        await rosa.page.get_by_role("button", name="Save").click()
        await rosa.said("Times are shown in Asia/Tokyo")
        await rosa.page.get_by_role("button", name="Sign out").click()
        await rosa.said("You are signed out")


async def test_the_sign_in_page_is_fit_for_everybody_in_light_and_dark(office: Office) -> None:
    for scheme in ("light", "dark"):
        async with office.person("nina", Scope.READ, color_scheme=scheme) as nina:
            await nina.go("/desk/sign-in")
            assert await nina.axe() == []
            await nina.page.get_by_label("Your token").fill("bh_wrong")
            await nina.page.get_by_role("button", name="Sign in").click()
            await expect(nina.page.get_by_role("alert")).to_contain_text("not known, or was revoked")
            assert await nina.axe() == []
