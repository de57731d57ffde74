"""Mail out over SMTP. One mail per call, text and HTML, with a Message-ID that is the same on every retry.

MailFailed    not taken, for now: try again
MailRefused   not taken, for good: a wrong address, bad credentials, a server that will never accept it
"""

import hashlib
import re
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from billing.errors import BadInput
from connectors.noted import note
from connectors.ports import Mail
from connectors.watched import watched

_TIMEOUT_S: Final = 15.0
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
# Whatever some parser takes for the end of a header line.
_ADDRESS: Final = re.compile(
    r"[^@\s,;:<>()\[\]\\\"\x00-\x1f\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)
_PERMANENT: Final = range(500, 600)
_PORTS: Final = {"smtp": 25, "smtps": 465}
_SYSTEM: Final = "smtp"
_TAKEN: Final = 250
_STARTTLS: Final = {"auto": None, "required": True, "never": False}


class MailFailed(Exception):
    """The server could not take it now."""

    outcome: Final = "failed"


class MailRefused(Exception):
    """The server, or we before it, will never take it."""

    outcome: Final = "refused"


class SmtpMailer:
    """`smtp://user:password@host:port` or `smtps://…`; `?starttls=auto|required|never`, `auto` where the server offers.

    `mail_from` is an address or `Name <address>`. Raises BadInput at once where either cannot be used.
    """

    def __init__(self, url: str, mail_from: str, *, tls_context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise BadInput("smtp_url", "it is no smtp:// or smtps:// URL", "set BILLHOOK_SMTP_URL")
        starttls = parse_qs(parts.query).get("starttls", ["auto"])[0]
        if starttls not in _STARTTLS:
            raise BadInput("smtp_url", f"starttls={starttls!r} is unknown", "use auto, required or never")
        self._host, self._port = parts.hostname, parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._use_tls = parts.scheme == "smtps"
        # A password never goes out in the clear because somebody stripped the offer of TLS.
        self._start_tls = True if self._user and starttls == "auto" else _STARTTLS[starttls]
        self._tls_context = tls_context
        name, self._sender = parseaddr(mail_from)
        if not _ADDRESS.fullmatch(self._sender):
            raise BadInput("mail_from", "it is no mail address", "set BILLHOOK_MAIL_FROM")
        self._from = Address(_one_line(name), addr_spec=self._sender)

    async def send(self, mail: Mail) -> None:
        """Raises MailRefused for good, MailFailed for now; neither shows a password."""
        message, place = self._message(mail), f"/{_local_part(mail.step_key)}"
        with watched(_SYSTEM, "SEND", place, mail.step_key):
            await self._hand_over(message, mail.to)
        note(_SYSTEM, "SEND", place, _TAKEN, step_key=mail.step_key)

    async def _hand_over(self, message: EmailMessage, to: str) -> None:
        try:
            await aiosmtplib.send(
                message,
                sender=self._sender,
                recipients=[to],
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._use_tls,
                start_tls=False if self._use_tls else self._start_tls,
                tls_context=self._tls_context,
                timeout=_TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failure(max(refused.code for refused in error.recipients), "recipient refused") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _failure(error.code, type(error).__name__) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailFailed(f"the mail server {self._host}:{self._port}: {type(error).__name__}") from error

    def _message(self, mail: Mail) -> EmailMessage:
        if not _ADDRESS.fullmatch(mail.to):
            raise MailRefused("the addressee is no single mail address")
        message = EmailMessage()
        message["From"] = self._from
        message["To"] = Address(addr_spec=mail.to) if mail.to.isascii() else mail.to
        message["Subject"] = _one_line(mail.subject)
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = message_id(mail.step_key, self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message


def message_id(step_key: str, domain: str) -> str:
    """The same for the same step, so that a repeated mail is seen as one; the step's words stay with us."""
    return f"<{_local_part(step_key)}@{domain}>"


def _local_part(step_key: str) -> str:
    return hashlib.sha256(step_key.encode()).hexdigest()[:40]


def _one_line(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


def _failure(code: int, what: str) -> Exception:
    words = f"the mail server answered {code}: {what}"
    return MailRefused(words) if code in _PERMANENT else MailFailed(words)
