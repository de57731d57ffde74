"""Events of the invoicing API: what each does, by the fold that decides it."""

from billing import lifecycle
from billing.events import EventType, InvoiceEvent
from billing.record import Fate
from docs.site.markdown import code, page, prose, table
from starter.client import SIGNALS

_DOES = {
    EventType.SENT: "a version was sent; one made by hand at the API is learnt of",
    EventType.VIEWED: 'the recipient opened the page; no "did you get it" mail is sent for that version',
    EventType.AMENDED: "a recipient's own field changed: to the CRM, to the customer, onto the next invoice",
    EventType.CHANGE_REQUESTED: "a case is opened, with an owner and a deadline",
    EventType.APPROVED: "the current version is read back and billed; an approval of an older one is ignored",
    EventType.PAID: "kept; payment is not ours",
    EventType.VOIDED: "the invoice is closed as cancelled, unless the recipient approved it",
}
_FATES = {
    Fate.PENDING: "stored, and not handed on yet",
    Fate.DELIVERED: "handed to the invoice's workflow, which has not answered yet",
    Fate.APPLIED: "counted",
    Fate.IGNORED: "kept, and counted for nothing; the reason says why",
    Fate.QUARANTINED: "no invoice claims it, or it cannot be used; a person replays it when that is mended",
}


def text() -> str:
    about = "`billing/events.py` and `billing/lifecycle.py`"
    return page("Events", about, _types(), _fates(), "## How they count", prose(lifecycle.__doc__), _body())


def _types() -> str:
    rows = [(code(one.value), code(SIGNALS.get(one, "")), _DOES[one]) for one in EventType]
    head = "## Types\n\nAny other type is kept and ignored, with a reason."
    return f"{head}\n\n{table(('type', 'signal', 'does'), rows)}"


def _fates() -> str:
    return "## What becomes of one\n\n" + table(("fate", "means"), [(code(one.value), _FATES[one]) for one in Fate])


def _body() -> str:
    fields = [(code(name), "yes" if field.is_required() else "no") for name, field in InvoiceEvent.model_fields.items()]
    return f"## A body\n\n{prose(InvoiceEvent.__doc__)}\n\n{table(('field', 'needed'), fields)}"
