"""A mail that the mail server took is not sent again because our records could not be written after."""

import dataclasses
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import select, text
from temporalio.testing import ActivityEnvironment

from activities.mail import MailActivities
from activities.signatures import SendMail
from connectors.ports import Mail
from records.pool import PoolRanDry
from records.session import Database
from records.sql import table
from records.tables import MailRow
from settings import Pool
from tests.postgres import postgres_server, postgres_url
from tests.records.make import KEY, with_intent

__all__ = ["postgres_server", "postgres_url"]


class Taking:
    """A mail server that takes the mail, and with it the only connection to our records."""

    def __init__(self, database: Database, busy: AsyncExitStack) -> None:
        self._database, self._busy = database, busy
        self.taken = 0

    async def send(self, mail: Mail) -> None:
        self.taken += 1
        session = await self._busy.enter_async_context(self._database.session())
        await session.execute(text("SELECT 1"))


async def test_a_mail_that_could_not_be_marked_is_marked_by_the_next_try_and_not_sent_again(postgres_url: str) -> None:
    database = Database(postgres_url, Pool(size=1, overflow=0, wait_s=0.1))
    await database.upgrade()
    await with_intent(database)
    request = SendMail(
        key=KEY, kind="link", version=1, customer_id="acme", total_minor=125000, currency="USD", link="x"
    )
    told: list[Any] = []
    trying = ActivityEnvironment()
    trying.on_heartbeat = lambda *details: told.extend(details)
    async with AsyncExitStack() as busy:
        mailer = Taking(database, busy)
        step = MailActivities(mailer, database, send_by_api=False, public_url="https://x.example").send_mail
        with pytest.raises(PoolRanDry):
            await trying.run(step, request)
    trying.info = dataclasses.replace(trying.info, heartbeat_details=told)
    await trying.run(step, request)
    assert mailer.taken == 1
    async with database.session() as session:
        assert (await session.execute(select(table(MailRow).c.sent_at))).scalar_one() is not None
    await database.close()
