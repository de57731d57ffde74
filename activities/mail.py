"""The mails: the link, the one follow-up, and what our own people are told. At most once per (invoice, version, kind).

A mail to our people says why it came, about how much, until when in their own zone and what can be done; it links to a
page that asks to confirm, so that nothing is decided by opening it. What a recipient wrote stands in it as quoted text.

The row is claimed before the mail leaves and marked after. Where it cannot be marked, the step's heartbeat tells the
next try that the mail has left. A worker that dies in between sends it again under the same Message-ID, which mail
systems and the embedded sink see as one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

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
    """`template` without its ending; `subject` may use {key} and {total}. `lead` says why the mail came."""

    template: str
    subject: str
    lead: str = ""


_FOLLOW_UP: Final = "follow_up"
_LEFT: Final = "left"
_KINDS: Final = {
    "link": _Kind("link", "Your invoice over {total}"),
    _FOLLOW_UP: _Kind("follow_up", "Did you get our invoice over {total}?"),
    "approval": _Kind("approval", "To decide: {key} over {total}", "An invoice waits for your decision."),
    "delegated": _Kind("approval", "To decide: {key} over {total}", "{actor} asks you to decide in his place."),
    "reminder": _Kind("approval", "Reminder: {key} waits for your decision", "An invoice still waits for you."),
    "escalation": _Kind("approval", "Escalation: {key} still waits for a decision", "Nobody has decided so far."),
    "expiry": _Kind("approval", "Not decided in time: {key}", "Its time is over, nobody decided, and it waits on."),
    "case": _Kind("case", "Change requested: {key}", "The recipient asks for a change. It is yours to answer."),
    "case_reminder": _Kind("case", "Reminder: change request on {key}", "Half of the time to answer is over."),
    "case_warning": _Kind("case", "Due soon: change request on {key}", "A change request must be answered soon."),
    "case_breach": _Kind("case", "Overdue: change request on {key}", "{actor} has not answered in time."),
}


class MailActivities:
    """`send_by_api`: the invoicing API mails the link itself, so we do not. `public_url` is where our desk is found."""

    def __init__(self, mailer: Mailer, database: Database, *, send_by_api: bool, public_url: str) -> None:
        self._mailer = mailer
        self._database = database
        self._send_by_api = send_by_api
        self._public_url = public_url.rstrip("/")

    @activity.defn(name=signatures.SEND_MAIL.name)
    async def send_mail(self, request: signatures.SendMail) -> signatures.Nothing:
        """Once per (invoice, version, kind); a repeat finds it sent and does nothing."""
        if activity.info().heartbeat_details or await self._sent(request):
            await self._mark_sent(request)
        return signatures.Nothing()

    async def _sent(self, request: signatures.SendMail) -> bool:
        """Whether it has left now; False where there is nothing to send."""
        if self._send_by_api and request.kind == "link":
            return False
        if request.kind == _FOLLOW_UP and await self._was_viewed(request):
            return False
        mail, customer_name = await self._addressed(request)
        async with self._database.transaction() as session:
            if not await mails.claim(session, request.key, request.version, request.kind, mail.step_key, mail.to):
                return False
        await self._mailer.send(self._rendered(request, mail, customer_name))
        return True

    async def _mark_sent(self, request: signatures.SendMail) -> None:
        try:
            async with self._database.transaction() as session:
                await mails.mark_sent(session, request.key, request.version, request.kind)
        except Exception:
            # Only here, since each heartbeat is billed.
            activity.heartbeat(_LEFT)
            raise

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

    def _rendered(self, request: signatures.SendMail, mail: Mail, customer_name: str) -> Mail:
        kind = _KINDS[request.kind.partition(":")[0]]
        total = Money(minor=request.total_minor, currency=request.currency)
        values: dict[str, Any] = {
            **request.model_dump(exclude={"record", "kind", "until"}),
            "name": customer_name,
            "total": str(total),
            "lead": kind.lead.format(actor=untrusted.one_line(request.actor, 200)),
            "until": _local(request.until, request.zone),
            "actions": [action.replace("_", " ") for action in request.actions],
            "page": f"{self._public_url}/desk/invoices/{quote(request.key, safe='')}",
        }
        return Mail(
            to=mail.to,
            subject=kind.subject.format(total=total, key=request.key),
            text=_TEMPLATES.get_template(f"{kind.template}.txt").render(values),
            html=_TEMPLATES.get_template(f"{kind.template}.html").render(values),
            step_key=mail.step_key,
        )


def _local(at: datetime | None, zone: str) -> str:
    """In the addressee's zone, with its name: a time without one is read as one's own."""
    return f"{at.astimezone(ZoneInfo(zone)):%A, %d %B %Y, %H:%M %Z}" if at else ""
