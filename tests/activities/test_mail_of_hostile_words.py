"""Whatever words reach a mail of ours, they are plain text on their own line, in both of its parts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.mail import MailActivities
from activities.signatures import SendMail
from records.customers import CustomerBody, put_customer
from records.session import Database
from tests.activities.test_mail_of_what_was_viewed import Outbox
from tests.nasty import MESSAGE, assert_plain
from tests.records.make import KEY, with_intent


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await found.upgrade()
    await with_intent(found)
    async with found.transaction() as session:
        body = {"name": f"Acme {MESSAGE}"[:180], "email": "ap@acme.example", "segment": "standard", "currency": "USD"}
        await put_customer(session, "acme", CustomerBody.model_validate(body))
    yield found
    await found.close()


@pytest.mark.parametrize("kind", ["link", "follow_up", "reminder", "escalation", "case"])
async def test_hostile_words_are_plain_in_text_and_html(database: Database, kind: str) -> None:
    outbox = Outbox()
    request = SendMail(
        key=KEY, kind=kind, version=1, customer_id="acme", total_minor=125000, currency="USD",
        link="http://127.0.0.1/i/1", due_date=None, to="dana@example.com", words=MESSAGE,
    )  # fmt: skip
    await MailActivities(outbox, database, send_by_api=False).send_mail(request)
    (mail,) = outbox.mails
    for part in (mail.subject, mail.text, mail.html):
        assert_plain(part)
    assert "<script>" not in mail.html
    assert "<img" not in mail.html
    assert not [line for line in mail.text.splitlines() if line.startswith(("# Heading", "SYSTEM"))]
