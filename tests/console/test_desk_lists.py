"""Lists of the desk over two months of records: search, filters, pages, figures; and a decision without a script."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from audit.dossier_check import verify
from records.tokens import Scope
from tests.console import world
from tests.console.browser import Person
from tests.console.office import Office, dana, office
from tests.console.seeding import seed

__all__ = ["dana", "office"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def count(office: Office) -> AsyncIterator[int]:
    """How many invoices there were before anybody came."""
    yield await seed(office.stack.database, datetime.now(UTC))


async def test_a_search_narrows_the_list_while_typing_and_the_address_keeps_it(office: Office, dana: Person) -> None:
    keys = [await world.to_approve(office.stack) for _ in range(2)]
    await dana.go("/desk/")
    await dana.page.get_by_label("Search").press_sequentially(keys[0].split(":")[1])
    await dana.row(keys[1]).wait_for(state="detached")
    assert await dana.row(keys[0]).count() == 1
    await dana.page.reload()
    assert await dana.row(keys[1]).count() == 0
    await dana.page.get_by_label("Search").fill("nothing has this")
    await dana.page.get_by_text("Nothing that waits fits this").wait_for()
    await dana.page.get_by_role("link", name="Show all that waits").click()
    await dana.row(keys[1]).wait_for()


async def test_kinds_and_people_can_be_told_apart(office: Office, dana: Person) -> None:
    waiting, parked = await world.to_approve(office.stack), await world.parked(office.stack)
    await dana.go("/desk/")
    await dana.page.get_by_label("Kind").select_option("repairs")
    await dana.page.get_by_role("button", name="Show", exact=True).click()
    await dana.row(parked).wait_for()
    assert await dana.row(waiting).count() == 0
    await dana.go("/desk/?kind=approval")
    assert await dana.row(waiting).count() == 1
    assert await dana.row(parked).count() == 0
    await dana.go("/desk/?kind=no-such-kind")
    assert await dana.row(waiting).count() == await dana.row(parked).count() == 1


async def test_pages_of_invoices_show_every_one_once(office: Office, count: int, dana: Person) -> None:
    await dana.go("/desk/invoices?status=billed")
    seen: list[str] = []
    while True:
        seen += await dana.page.locator("tbody a[data-open]").all_inner_texts()
        following = dana.page.get_by_role("link", name="Next page")
        if not await following.count():
            break
        await following.click()
    assert len(seen) == len(set(seen))
    assert 50 < len(seen) < count
    await dana.go("/desk/invoices?customer=sakura&status=billed")
    assert 0 < await dana.page.locator("tbody tr").count() < len(seen)


async def test_each_chart_has_words_and_its_figures_beside_it(count: int, dana: Person) -> None:
    await dana.go("/desk/dashboard?days=90")
    charts = dana.page.locator("svg.chart")
    assert await charts.count() == 4
    for place in range(4):
        chart = charts.nth(place)
        assert await chart.locator("rect").count() > 0
        assert await chart.locator("> title").text_content()
        assert await chart.locator("> desc").text_content()
    assert await dana.page.get_by_text("The figures as a table").count() == 4
    await dana.page.get_by_text("The figures as a table").first.click()
    table = dana.page.get_by_role("table", name="Invoices by state at the end of each day (UTC)")
    newest = await table.get_by_role("row").last.get_by_role("cell").all_inner_texts()
    assert sum(map(int, newest)) >= count
    await dana.page.get_by_text(f"{sum(map(int, newest))} invoices were triggered").first.wait_for()


async def test_the_timeline_tells_one_kind_alone_and_the_dossier_is_whole(office: Office, dana: Person) -> None:
    key = await world.sent(office.stack)
    await dana.open(key)
    everything = await dana.page.locator("ol.timeline > li").count()
    await dana.page.get_by_label("Kind").select_option("mail")
    await dana.page.get_by_role("button", name="Show", exact=True).click()
    await dana.page.wait_for_url("**kind=mail**")
    lines = await dana.page.locator("ol.timeline > li").all_inner_texts()
    assert len(lines) == 1 < everything
    assert "link of V1 mailed to" in lines[0]
    async with dana.page.expect_download() as download:
        await dana.page.get_by_role("link", name="Dossier").click()
    file = await (await download.value).path()
    assert verify(file.read_bytes()).key == key


async def test_a_decision_goes_without_a_script(office: Office) -> None:
    key = await world.to_approve(office.stack)
    async with office.person("rosa", Scope.APPROVE, java_script_enabled=False) as rosa:
        await rosa.sign_in()
        await rosa.page.get_by_label("Search").fill(key)
        await rosa.page.get_by_role("button", name="Show", exact=True).click()
        await rosa.row(key).get_by_role("link", name="Approve").click()
        await rosa.page.get_by_role("button", name="Approve").click()
        await rosa.said("Approve: done.")
    await office.stack.until(key, "sent")


async def test_a_button_pressed_twice_decides_once(office: Office, dana: Person) -> None:
    key = await world.to_approve(office.stack)
    await dana.go(f"/desk/invoices/{key}/do/approve")
    await dana.page.get_by_role("button", name="Approve").dblclick()
    await dana.said("Approve: done.")
    assert len((await office.stack.until(key, "sent"))["decisions"]) == 1
