"""What a person reads of an invoice: whose it is and until when, its contents side by side, what was done for it."""

from datetime import timedelta
from decimal import Decimal

from billing.intent import Commercial, Discount, DiscountType, Line
from billing.record import Call, CallEntry, Content, Entry, InvoiceRecord, Status
from records import invoices, mails
from records.session import Database
from records.views import InvoiceView
from tests.records.make import AT, KEY, a_record, an_intent, with_intent

_INTENTS = an_intent().commercial
_EDITED = Commercial(
    currency="USD",
    lines=(Line(description="Design", quantity=Decimal("1.5"), unit_price=Decimal("833.335")),),
    discount=Discount(type=DiscountType.PERCENT, value=Decimal("7.5")),
    payment_terms="net_14",
)


async def _view(db: Database, *told: InvoiceRecord) -> InvoiceView:
    async with db.transaction() as s:
        for record in told:
            await invoices.save_record(s, record)
    async with db.session() as s:
        view = await invoices.get_view(s, KEY)
    assert view is not None
    return view


def _content(commercial: Commercial | None, version: int, **changes: object) -> Content:
    meant = commercial or _INTENTS
    values = {
        "revision": meant.revision(version),
        "version": version,
        "total_minor": meant.total.minor,
        "made_at": AT,
        "made_by": "mia",
        "commercial": commercial,
    }
    return Content.model_validate(values | changes)


def _call(place: int, step: str, system: str = "jupiter", **changes: object) -> CallEntry:
    values = {"at": AT + timedelta(seconds=place), "system": system, "method": "POST", "path": "/x", "status": 200}
    return CallEntry(position=place, step=step, call=Call.model_validate(values | changes))


async def test_an_open_approval_says_whose_it_is_until_when_and_who_of_two_has_said_yes(db: Database) -> None:
    await with_intent(db)
    record = a_record(
        1, Status.AWAITING_APPROVAL, assignee="dana", decide_by=AT + timedelta(days=2), approved_by=("mia",)
    )
    view = await _view(db, record)
    assert (view.assignee, view.decide_by, view.approved_by) == ("dana", AT + timedelta(days=2), ["mia"])
    assert view.customer_name == "Acme"


async def test_before_anything_was_told_the_content_is_the_intents_own(db: Database) -> None:
    await with_intent(db)
    view = await _view(db)
    assert view.content is not None
    assert [line.model_dump() for line in view.content.lines] == [
        {"description": "Design", "quantity": "1", "unit_price": "1250", "amount": "1250.00"}
    ]
    assert [(one.version, one.revision, one.issued_at) for one in view.versions] == [(1, _INTENTS.revision(1), None)]


async def test_the_present_content_and_every_one_before_it_stand_side_by_side(db: Database) -> None:
    await with_intent(db)
    sent, later = AT + timedelta(hours=1), AT + timedelta(days=1)
    first = a_record(1, contents=(_content(None, 1, made_by="", issued_at=sent),))
    second = a_record(
        2, version=2, revision=_EDITED.revision(2), contents=(_content(_EDITED, 2, made_at=later),), total_minor=115625
    )
    view = await _view(db, first, second)
    assert [(one.version, one.total, one.made_by, one.issued_at) for one in view.versions] == [
        (1, "1250.00", "", sent),
        (2, "1156.25", "mia", None),
    ]
    assert view.content == view.versions[1].content
    assert view.content.model_dump() == {
        "lines": [{"description": "Design", "quantity": "1.5", "unit_price": "833.335", "amount": "1250.00"}],
        "discount": {"type": "percent", "value": "7.5", "off": "93.75"},
        "payment_terms": "net_14",
        "due_date": None,
        "subtotal": "1250.00",
        "total": "1156.25",
    }


async def test_that_a_version_was_issued_is_added_to_what_was_told_of_it_before(db: Database) -> None:
    await with_intent(db)
    made, issued = _content(_EDITED, 1), _content(None, 1, revision=_EDITED.revision(1), issued_at=AT)
    view = await _view(db, a_record(1, contents=(made,)), a_record(2, contents=(issued,)))
    shown = next(one for one in view.versions if one.revision == _EDITED.revision(1))
    assert (shown.issued_at, shown.content.payment_terms) == (AT, "net_14")


async def test_the_timeline_merges_what_was_told_mailed_and_asked_by_time(db: Database) -> None:
    await with_intent(db)
    calls = (
        _call(1, "create_draft", path="/api/v1/invoices", status=201, step_key=f"{KEY}:create"),
        _call(2, "issue", path="/api/v1/invoices/inv_1/issue", replayed=True),
        _call(3, "send_mail", "smtp", method="SEND", status=250),
        _call(4, "mark_billed", "crm", method="BILLED", path="/deals/deal_1"),
    )
    entries = (Entry(number=1, at=AT + timedelta(seconds=1), kind="drafted", actor="billhook", text="draft inv_1"),)
    async with db.transaction() as s:
        await mails.claim(s, KEY, 1, "link", "k", "ap@acme.example")
        await mails.mark_sent(s, KEY, 1, "link")
    view = await _view(db, a_record(1, entries=entries, calls=calls))
    assert [(line.kind, line.text) for line in view.timeline if line.kind != "triggered"] == [
        ("drafted", "draft inv_1"),
        ("call", "create draft: the invoicing API answered 201 to POST /api/v1/invoices"),
        ("call", "issue: the invoicing API answered 200 to POST /api/v1/invoices/inv_1/issue, as it had before"),
        ("call", "mark billed: the CRM answered 200 to BILLED /deals/deal_1"),
        ("mail", "link of V1 mailed to ap@acme.example"),
    ]
    assert {line.actor for line in view.timeline} == {"billhook"}


async def test_who_triggered_it_and_what_for_is_the_first_thing_that_the_timeline_tells(db: Database) -> None:
    await with_intent(db)
    (line,) = (await _view(db)).timeline
    assert (line.kind, line.text) == ("triggered", "milestone of project_1 to be billed over 1,250.00 USD")
