"""The follow-up asks only about what nobody has looked at, as far as our own records know."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.mail import MailActivities
from activities.signatures import SendMail
from connectors.ports import Mail
from records import events
from records.session import Database
from tests.fresh import bring_up
from tests.records.make import KEY, an_event, with_intent


class Outbox:
    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await bring_up(found)
    yield found
    await found.close()


async def _mailed(database: Database, version: int) -> int:
    outbox = Outbox()
    request = SendMail(
        key=KEY, kind="follow_up", version=version, customer_id="acme", total_minor=125000, currency="USD",
        link="http://127.0.0.1/i/1", due_date=None, to="", words="",
    )  # fmt: skip
    sending = MailActivities(outbox, database, send_by_api=False, public_url="https://billhook.example")
    await ActivityEnvironment().run(sending.send_mail, request)
    return len(outbox.mails)


async def test_a_view_that_waits_to_be_delivered_keeps_the_follow_up_back(database: Database) -> None:
    await with_intent(database)
    async with database.transaction() as session:
        view = an_event()
        await events.accept(session, "jupiter", view, view.model_dump_json().encode())
    assert await _mailed(database, version=1) == 0


async def test_a_view_of_an_older_version_does_not(database: Database) -> None:
    await with_intent(database)
    async with database.transaction() as session:
        view = an_event(version=1)
        await events.accept(session, "jupiter", view, view.model_dump_json().encode())
    assert await _mailed(database, version=2) == 1
