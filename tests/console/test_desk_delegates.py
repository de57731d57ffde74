"""Whom a person can hand an approval to: exactly those who could say yes to it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from billing.decisions import Action
from billing.intent import Source
from billing.record import Status
from records import invoices
from records.intents import register
from records.tokens import Scope
from tests.console.conftest import Browser, browser_at, new_token
from tests.records.make import AT, KEY, a_record, an_intent
from tests.starter.conftest import running_api

POLICY = """
[[approvers]]
name = "kim"
limits = { USD = "1000.00" }
""" + "".join(f'[[approvers]]\nname = "{name}"\n' for name in ("mia", "robin", "sam", "gone", "reader"))


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """At an invoice over 1,250.00 USD that `mia` triggered and `sam` has approved already."""
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    async with running_api("127.0.0.1:1", tmp_path, policy_file=file) as api:
        for name in ("kim", "mia", "robin", "sam", "unnamed"):
            await new_token(api, Scope.APPROVE, name=name)
        await new_token(api, Scope.READ, name="reader")
        record = a_record(
            1, Status.AWAITING_APPROVAL, approved_by=("sam",), available_actions=(Action.APPROVE, Action.DELEGATE)
        )
        source = Source(event_id="e1", occurred_at=AT, scope="project_1", triggered_by="mia")
        async with api.database.transaction() as session:
            await register(session, an_intent(source=source))
            await invoices.save_record(session, record)
        found = browser_at(api)
        async with found.http:
            yield found


async def test_nobody_is_offered_who_could_not_approve_it(browser: Browser) -> None:
    await browser.sign_in(Scope.APPROVE)
    page = (await browser.get(f"/desk/invoices/{KEY}/do/delegate")).text
    select = re.search(r'<select id="to".*?</select>', page, re.DOTALL)
    assert select, page
    assert re.findall(r"<option[^>]*>([^<]*)</option>", select[0]) == ["choose", "robin"]
