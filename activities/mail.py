"""The mails: the link, the one follow-up, and what our own people are told. At most once per (invoice, version, kind).

The row is claimed before the mail leaves and marked after. A worker that dies in between sends it again under the same
Message-ID, which mail systems and the embedded sink see as one.
"""

from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, select_autoescape
from temporalio import activity

from activities import signatures
from billing import untrusted
from billing.errors import UnknownCustomer
from billing.events import EventType, InvoiceEvent
from billing.keys import step_key
from billing.money import Money
from connectors.ports import Mail, Mailer
from records import customers, events, mails
from records.session import Database

_TEMPLATES: Final = Environment(
    loader=PackageLoader("activities"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=untrusted.finalize,
)
_TEMPLATES.filters.update(untrusted.FILTERS)


@dataclass(frozen=True)
class _Kind:
    """`template` without its ending; `subject` may use {name} and {total}."""

    template: str
    subject: str


_FOLLOW_UP: Final = "follow_up"
_KINDS: Final = {
    "link": _Kind("link", "Your invoice over {total}"),
    _FOLLOW_UP: _Kind("follow_up", "Did you get our invoice over {total}?"),
    "reminder": _Kind("decision", "Reminder: {key} waits for your decision"),
    "escalation": _Kind("decision", "Escalation: {key} still waits for a decision"),
    "case": _Kind("decision", "Change requested: {key}"),
}


class MailActivities:
    """`send_by_api`: the invoicing API mails the link itself, so we do not."""

    def __init__(self, mailer: Mailer, database: Database, *, send_by_api: bool) -> None:
        self._mailer = mailer
        self._database = database
        self._send_by_api = send_by_api

    @activity.defn(name=signatures.SEND_MAIL.name)
    async def send_mail(self, request: signatures.SendMail) -> signatures.Nothing:
        """Once per (invoice, version, kind); a repeat finds it sent and does nothing."""
        if self._send_by_api and request.kind == "link":
            return signatures.Nothing()
        if request.kind == _FOLLOW_UP and await self._was_viewed(request):
            return signatures.Nothing()
        mail, customer_name = await self._addressed(request)
        async with self._database.transaction() as session:
            if not await mails.claim(session, request.key, request.version, request.kind, mail.step_key, mail.to):
                return signatures.Nothing()
        await self._mailer.send(_render(request, mail, customer_name))
        async with self._database.transaction() as session:
            await mails.mark_sent(session, request.key, request.version, request.kind)
        return signatures.Nothing()

    async def _was_viewed(self, request: signatures.SendMail) -> bool:
        """A view may lie in our records that could not be delivered yet: while Temporal was away, for one."""
        async with self._database.session() as session:
            waiting = await events.waiting_bodies(session, request.key, EventType.VIEWED)
        return any(InvoiceEvent.model_validate_json(raw).data.version >= request.version for raw in waiting)

    async def _addressed(self, request: signatures.SendMail) -> tuple[Mail, str]:
        async with self._database.session() as session:
            customer = await customers.get_customer(session, request.customer_id)
        if customer is None:
            raise UnknownCustomer(request.customer_id)
        key = step_key(request.key, f"mail-{request.kind}", request.version)
        return Mail(to=request.to or customer.email, subject="", text="", html="", step_key=key), customer.name


def _render(request: signatures.SendMail, mail: Mail, customer_name: str) -> Mail:
    kind = _KINDS[request.kind.partition(":")[0]]
    total = Money(minor=request.total_minor, currency=request.currency)
    values: dict[str, Any] = {
        "name": customer_name,
        "total": str(total),
        "link": request.link,
        "due_date": request.due_date,
        "version": request.version,
        "key": request.key,
        "words": request.words,
    }
    return Mail(
        to=mail.to,
        subject=kind.subject.format(total=total, key=request.key),
        text=_TEMPLATES.get_template(f"{kind.template}.txt").render(values),
        html=_TEMPLATES.get_template(f"{kind.template}.html").render(values),
        step_key=mail.step_key,
    )
