"""Whatever words reach a mail of ours, they are plain text on their own line, in both of its parts."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.mail import MailActivities
from activities.signatures import SendMail
from records.customers import CustomerBody, put_customer
from records.session import Database
from tests.activities.test_mail_of_what_was_viewed import Outbox
from tests.fresh import bring_up
from tests.nasty import MESSAGE, assert_plain
from tests.records.make import KEY, with_intent


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await bring_up(found)
    await with_intent(found)
    async with found.transaction() as session:
        body = {"name": f"Acme {MESSAGE}"[:180], "email": "ap@acme.example", "segment": "standard", "currency": "USD"}
        await put_customer(session, "acme", CustomerBody.model_validate(body))
    yield found
    await found.close()


OURS = [
    "approval:r:dana", "delegated:r:1", "reminder:r:dana", "escalation:r", "expiry:r",
    "case:c:dana", "case_reminder:c:dana", "case_warning:c:dana", "case_breach:c:dana",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["link", "follow_up", *OURS])
async def test_hostile_words_are_plain_in_text_and_html(database: Database, kind: str) -> None:
    outbox = Outbox()
    request = SendMail(
        key=KEY, kind=kind, version=1, customer_id="acme", total_minor=125000, currency="USD",
        link="http://127.0.0.1/i/1", due_date=None, to="dana@example.com",
        message=MESSAGE, actor=MESSAGE, case_id=MESSAGE, reasons=(MESSAGE,),
        actions=("approve",), then=MESSAGE, until=datetime(2026, 3, 27, 14, tzinfo=UTC), zone="Europe/Berlin",
    )  # fmt: skip
    sending = MailActivities(outbox, database, send_by_api=False, public_url="https://x.example")
    await ActivityEnvironment().run(sending.send_mail, request)
    (mail,) = outbox.mails
    for part in (mail.subject, mail.text, mail.html):
        assert_plain(part)
    assert "<script>" not in mail.html
    assert "<img" not in mail.html
    assert not [line for line in mail.text.splitlines() if line.startswith(("# Heading", "SYSTEM"))]


@pytest.mark.parametrize("kind", OURS)
async def test_a_mail_to_our_people_says_why_how_much_until_when_what_and_where(database: Database, kind: str) -> None:
    """The time is in the addressee's zone; the link goes to the invoice's page, which asks to confirm."""
    outbox = Outbox()
    request = SendMail(
        key=KEY, kind=kind, version=1, customer_id="acme", total_minor=125000,
        currency="USD", to="dana@example.com", until=datetime(2026, 3, 30, 13, tzinfo=UTC), zone="Europe/Berlin",
        actions=("approve", "take_change_request"), reasons=("It is large.",), message="cheaper", actor="robin",
    )  # fmt: skip
    sending = MailActivities(outbox, database, send_by_api=False, public_url="https://x.example/")
    await ActivityEnvironment().run(sending.send_mail, request)
    (mail,) = outbox.mails
    for part in (mail.text, mail.html):
        assert "1,250.00 USD" in part
        assert "Monday, 30 March 2026, 15:00 CEST" in part
        assert "approve, take change request" in part
        assert "https://x.example/desk/invoices/invoice%3Aproject_1%3Amilestone_1" in part
        assert "confirm" in part
