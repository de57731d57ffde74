"""Mail out, against a real SMTP server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from billing.errors import BadInput
from connectors.ports import Mail
from connectors.smtp import MailFailed, MailRefused, SmtpMailer

Start = Callable[..., Any]


class Inbox:
    """Keeps what comes; `answer` is what it says to DATA."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.answer = answer
        self.kept: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.kept.append(envelope)
        return self.answer


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[asyncio.Server] = []

    async def run(inbox: Inbox, **options: Any) -> str:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(inbox, hostname="here", **options), "127.0.0.1", 0)
        servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield run
    for server in servers:
        server.close()
        await server.wait_closed()


def mail(**changes: str) -> Mail:
    values = {
        "to": "ap@acme.example",
        "subject": "Your invoice",
        "text": "Hej",
        "html": "<p>Hej</p>",
        "step_key": "k:mail",
    }
    return Mail(**{**values, **changes})


def mailer(address: str, options: str = "") -> SmtpMailer:
    return SmtpMailer(f"smtp://{address}{options}", "Billhook <billing@us.example>")


async def test_a_mail_arrives_as_text_and_html_with_the_id_of_its_step(start: Start) -> None:
    inbox = Inbox()
    address = await start(inbox)
    await mailer(address).send(mail(subject="Grüße: 5 €"))
    await mailer(address).send(mail())
    first, second = [message_from_bytes(kept.content, policy=default) for kept in inbox.kept]  # type: ignore[arg-type]
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@us.example>")
    assert first["Subject"] == "Grüße: 5 €"
    assert [part.get_content_type() for part in first.walk()][1:] == ["text/plain", "text/html"]


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x00"])
async def test_no_subject_can_begin_a_header(start: Start, ending: str) -> None:
    inbox = Inbox()
    await mailer(await start(inbox)).send(mail(subject=f"Hi{ending}Bcc: thief@evil.example{ending}{ending}body"))
    message = message_from_bytes(inbox.kept[0].content, policy=default)  # type: ignore[arg-type]
    assert message["Bcc"] is None
    assert inbox.kept[0].rcpt_tos == ["ap@acme.example"]


@pytest.mark.parametrize(
    "to",
    ["", "acme", "a@b.example, c@d.example", "a@b.example\r\nBcc: c@d.example", "A <a@b.example>", "a b@c.example"],
)
async def test_an_addressee_that_is_no_single_address_is_refused_before_anything_is_sent(start: Start, to: str) -> None:
    inbox = Inbox()
    address = await start(inbox)
    with pytest.raises(MailRefused):
        await mailer(address).send(mail(to=to))
    assert inbox.kept == []


async def test_a_temporary_answer_is_to_be_tried_again_and_a_permanent_one_is_not(start: Start) -> None:
    with pytest.raises(MailFailed, match="451"):
        await mailer(await start(Inbox("451 later"))).send(mail())
    with pytest.raises(MailRefused, match="550"):
        await mailer(await start(Inbox("550 never"))).send(mail())


async def test_a_server_that_is_not_there_is_to_be_tried_again() -> None:
    with pytest.raises(MailFailed):
        await mailer("127.0.0.1:1").send(mail())


async def test_a_password_never_goes_out_in_the_clear(start: Start) -> None:
    seen: list[object] = []

    def authenticate(*given: object) -> AuthResult:
        seen.append(given)
        return AuthResult(success=True)

    address = await start(Inbox(), authenticator=authenticate, auth_require_tls=False)
    with pytest.raises((MailFailed, MailRefused)) as failed:
        await SmtpMailer(f"smtp://me:hush@{address}", "billing@us.example").send(mail())
    assert seen == []
    assert "hush" not in str(failed.value)


async def test_credentials_are_used_where_asked_for_without_tls(start: Start) -> None:
    seen: list[Any] = []

    def authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, data: Any) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=True)

    inbox = Inbox()
    address = await start(inbox, authenticator=authenticate, auth_require_tls=False)
    await SmtpMailer(f"smtp://me:hu%40sh@{address}?starttls=never", "billing@us.example").send(mail())
    assert seen == [(b"me", b"hu@sh")]
    assert len(inbox.kept) == 1


@pytest.mark.parametrize("url", ["", "http://x", "smtp://", "smtp://x?starttls=perhaps"])
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadInput, match="smtp_url"):
        SmtpMailer(url, "billing@us.example")
