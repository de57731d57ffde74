"""Monthly runs at the desk: every month of every group, its plan read once in the background, nothing changed by it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from billing.run_plan import RunPlan
from records import runs
from records.metering import take
from records.run_tables import UsageRunRow
from records.runs import Run
from records.session import Database
from records.sql import table
from records.subscriptions import put_subscription
from records.tokens import Scope
from starter.run_planning import RunPlanner
from tests.console.browser import launched
from tests.console.conftest import Browser, browser_at
from tests.console.office import Office
from tests.records.metered import GROUPS, NOW, a_body, an_event
from tests.stack import assert_eventually, running_stack
from tests.starter.conftest import Api, running_api

MOTIONS = """
[[billing_groups]]
name = "europe"
zone = "Europe/Berlin"

[[billing_groups]]
name = "nz"
zone = "Pacific/Auckland"
"""
RUN = "/desk/runs/europe/2026-10"


async def filled(db: Database) -> None:
    """Two that go out by themselves, one too dear for it, one that used nothing, one that cannot be billed at all."""
    async with db.transaction() as s:
        for name, used in (("s1", "1000"), ("s2", "50"), ("dear", "9000000"), ("idle", "0")):
            await put_subscription(s, name, a_body())
            await take(s, [an_event(f"{name}-10", used, subscription_id=name)], GROUPS, NOW)
        too_dear = [{"meter": "api", "model": "per_unit", "unit_price": "999999999999"}]
        await put_subscription(s, "never", a_body(charges=too_dear))
        await take(s, [an_event("never", "100000", subscription_id="never")], GROUPS, NOW)
        await take(s, [an_event("s1-09", "5", at="2026-09-10T00:00:00Z", subscription_id="s1")], GROUPS, NOW)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Api]:
    (tmp_path / "motions.toml").write_text(MOTIONS, encoding="utf-8")
    async with running_api(
        "127.0.0.1:1", tmp_path, motions_file=tmp_path / "motions.toml", temporal_ui_url="http://temporal.example"
    ) as running:
        await filled(running.database)
        yield running


@pytest.fixture
async def browser(desk: Api) -> AsyncIterator[Browser]:
    found = browser_at(desk)
    async with found.http:
        await found.sign_in(Scope.READ)
        yield found


async def ran(db: Database, *, finishes: bool = False) -> Run:
    """The run of the month, up to its first two subscriptions, or to its end."""
    run = Run(group="europe", period="2026-10", id="r1", by="dana", at=datetime.now(UTC) - timedelta(minutes=30))
    async with db.transaction() as s:
        await runs.begin(s, run)
        made = await runs.take_page(s, run, "", 2)
        if finishes:
            await runs.take_page(s, run, made[-1].subscription_id, 100)
            await runs.finish(s, run)
    return run


async def test_a_run_under_way_says_how_far_it_is_by_whom_when_it_is_through_and_where_to_see_it(
    browser: Browser,
) -> None:
    assert "billhook run start 2026-10 --group europe" in await read(browser)
    await ran(browser.api.database)
    listed = " ".join((await browser.get("/desk/runs")).text.split())
    assert ">running<" in listed
    assert 'aria-label="Progress of europe 2026-10" value="1" max="5"' in listed
    shown = " ".join((await read(browser)).split())
    assert "1 of 5, 20 %" in shown
    assert "by dana" in shown
    assert "if the rest is as fast" in shown
    assert "1: nothing to bill was used" in shown
    assert 'hx-select="#progress"' in shown
    assert "http://temporal.example/namespaces/default/workflows/run%3Aeurope%3A2026-10" in shown


async def test_a_run_that_ended_names_whom_it_refused_and_what_its_invoices_came_to(browser: Browser) -> None:
    await ran(browser.api.database, finishes=True)
    shown = " ".join((await read(browser)).split())
    assert "1 could not be billed" in shown
    assert '<th scope="row">never</th>' in shown
    assert "3 over <span" in shown
    assert "90,010.50&nbsp;USD" in shown
    assert ">not begun</span> 3" in shown
    assert "All begun" in shown


async def test_a_run_of_which_nothing_was_heard_for_long_stands_still(browser: Browser) -> None:
    await ran(browser.api.database)
    row = table(UsageRunRow)
    async with browser.api.database.transaction() as s:
        await s.execute(row.update().values(told_at=datetime.now(UTC) - timedelta(hours=1)))
    assert ">stands still<" in (await browser.get("/desk/runs")).text
    assert "is a worker running?" in await read(browser)


async def read(browser: Browser, path: str = RUN) -> str:
    """The page once its plan is read."""

    async def look() -> str:
        answer = await browser.get(path)
        assert answer.status_code == 200, answer.text
        return "" if "is being read" in answer.text else answer.text

    return str(await assert_eventually(look))


async def test_every_group_s_latest_months_are_listed_with_their_end(browser: Browser) -> None:
    shown = (await browser.get("/desk/runs")).text
    for group in ("europe", "nz"):
        assert shown.count(f'href="/desk/runs/{group}/') == 4
    assert shown.count(">not over<") == 2
    assert shown.count(">not run<") == 8
    assert 'href="/desk/runs" aria-current="page"' in shown


async def test_without_a_group_the_list_says_how_there_comes_one(tmp_path: Path) -> None:
    async with running_api("127.0.0.1:1", tmp_path) as api, browser_at(api).http as http:
        nobody = Browser(http, api)
        await nobody.sign_in(Scope.READ)
        shown = (await nobody.get("/desk/runs")).text
        assert "No billing group yet" in shown
        assert "[[billing_groups]]" in shown


async def test_a_plan_says_what_starts_who_must_look_what_changed_and_what_is_left_out(browser: Browser) -> None:
    shown = " ".join((await read(browser)).split())
    assert '<span class="big">3</span>' in shown
    assert "90,010.50&nbsp;USD" in shown
    assert "1 by the rule over threshold" in shown
    assert "BILLHOOK_JUPITER_RATE sets no limit" in shown
    assert '<td class="amount">+90,010.50</td>' in shown
    assert "1: what was used comes to nothing" in shown or "1: nothing to bill was used" in shown
    assert "1 cannot be billed as they are" in shown
    assert '<a href="/desk/runs/europe/2026-09">2026-09</a>: 1 with usage that no run has billed' in shown


async def test_all_who_look_share_one_reading_until_somebody_wants_it_anew(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = [], asyncio.Event()
    original = RunPlanner.plan

    async def slow(self: RunPlanner, *given: Any) -> RunPlan:
        begun.append(given)
        given[3](1234)
        await go.wait()
        return await original(self, *given)

    monkeypatch.setattr(RunPlanner, "plan", slow)
    for _ in range(3):
        assert "is being read" in (await browser.get(RUN)).text
    waiting = (await browser.get(RUN)).text
    assert "1,234 subscriptions so far" in waiting
    assert 'hx-trigger="every 2s"' in waiting
    go.set()
    assert "hx-trigger" not in (await read(browser))
    assert len(begun) == 1
    answer = await browser.post(f"{RUN}/again", page=RUN)
    assert (answer.status_code, answer.headers["location"]) == (303, RUN)
    await read(browser)
    assert len(begun) == 2


async def test_a_plan_that_cannot_be_read_says_so_and_can_be_read_again(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> RunPlan:
        raise RuntimeError("a secret of ours")

    with monkeypatch.context() as patched:
        patched.setattr(RunPlanner, "plan", broken)
        shown = await read(browser)
    assert "could not be read" in shown
    assert "a secret of ours" not in shown
    await browser.post(f"{RUN}/again", page=RUN)
    assert "What the run starts" in await read(browser)


async def test_a_reading_does_not_outlive_the_application(desk: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(*_: Any) -> RunPlan:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(RunPlanner, "plan", endless)
    plans = desk.app.state.plans
    reading = plans.of(GROUPS["europe"], "2026-10")
    await plans.close()
    assert reading.task is not None
    assert reading.task.cancelled()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("asia/2026-10", 404, "no billing group"), ("europe/2026-13", 422, "is no month"), ("europe/x", 422, "no month")],
)
async def test_a_run_that_there_cannot_be_is_said_so(browser: Browser, path: str, status: int, words: str) -> None:
    answer = await browser.get(f"/desk/runs/{path}")
    assert answer.status_code == status
    assert words in answer.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    (folder / "motions.toml").write_text(MOTIONS, encoding="utf-8")
    async with (
        launched() as chromium,
        running_stack(temporal_address, folder, motions_file=folder / "motions.toml") as stack,
    ):
        await stack.customer()
        await filled(stack.database)
        await ran(stack.database)
        yield Office(chromium, stack)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_follows_the_reading_and_is_for_everybody(office: Office, scheme: str) -> None:
    async with office.person(f"ada-{scheme}", Scope.READ, color_scheme=scheme) as ada:
        await ada.sign_in()
        await ada.page.get_by_role("link", name="Runs").click()
        assert await ada.axe() == []
        await ada.page.get_by_role("link", name="europe 2026-10").click()
        await ada.page.get_by_role("heading", name="What the run starts").wait_for()
        assert await ada.axe() == []
        await ada.page.set_viewport_size({"width": 320, "height": 640})
        assert await ada.page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.asyncio(loop_scope="module")
async def test_the_plan_is_seen_without_a_script(office: Office) -> None:
    async with office.person("tom", Scope.READ, java_script_enabled=False) as tom:
        await tom.sign_in()
        await tom.go("/desk/runs/nz/2026-10")
        again, there = tom.page.get_by_role("link", name="Look again"), tom.page.get_by_text("What the run starts")
        async with asyncio.timeout(20):
            while not await there.count():
                await again.click()
        assert await tom.page.get_by_text("None: all go out by themselves.").count() == 1
