"""What somebody changed between the look and the decision is shown, and asked again."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.decisions import Action
from billing.intent import Commercial, Line
from billing.record import Content, InvoiceRecord, Status
from records import invoices
from records.intents import register
from records.tokens import Scope
from tests.console.conftest import Browser
from tests.records.make import KEY, an_intent

SEEN = an_intent().commercial.revision(1)
EDITED = Commercial(currency="USD", lines=(Line(description="Design", quantity=Decimal(1), unit_price=Decimal(1000)),))
PRESENT = EDITED.revision(1)
FORM = f"/desk/invoices/{KEY}/do"


@pytest.fixture
async def edited(browser: Browser) -> Browser:
    """At an invoice over 1,250.00 USD that somebody else has brought down to 1,000.00 USD."""
    content = Content(
        revision=PRESENT, version=1, total_minor=100_000, made_by="robin", commercial=EDITED,
        made_at=datetime.now(UTC) + timedelta(minutes=1),
    )  # fmt: skip
    record = InvoiceRecord(
        key=KEY, sequence=2, status=Status.AWAITING_APPROVAL, total_minor=100_000, currency="USD", version=1,
        revision=PRESENT, available_actions=(Action.APPROVE, Action.REJECT), contents=(content,),
    )  # fmt: skip
    async with browser.api.database.transaction() as session:
        await register(session, an_intent())
        await invoices.save_record(session, record)
    await browser.sign_in(Scope.APPROVE)
    return browser


async def test_whoever_follows_an_old_link_sees_what_changed_and_decides_on_what_stands(edited: Browser) -> None:
    page = (await edited.get(f"{FORM}/approve?revision={SEEN}")).text
    assert "It has changed since you saw it" in page
    assert "What has changed since you looked" in page
    assert "\N{MINUS SIGN}250.00" in page
    assert _bound_to(page) == PRESENT


async def test_whoever_follows_a_fresh_link_is_asked_at_once(edited: Browser) -> None:
    page = (await edited.get(f"{FORM}/approve?revision={PRESENT}")).text
    assert "changed since" not in page
    assert _bound_to(page) == PRESENT


async def test_an_edit_of_what_has_changed_is_not_sent_and_keeps_what_was_typed(edited: Browser) -> None:
    form = {
        "revision": SEEN, "words": "as we said", "description": "Design", "quantity": "1", "unit_price": "900",
        "payment_terms": "net_30",
    }  # fmt: skip
    answer = await edited.post(f"{FORM}/approve-edited", form)
    assert answer.status_code == 409
    assert f"revision {SEEN} is not the present one" in answer.text
    assert "What has changed since you looked" in answer.text
    assert 'value="900"' in answer.text
    assert ">as we said</textarea>" in answer.text
    assert _bound_to(answer.text) == PRESENT
    assert 'name="seal"' not in answer.text


async def test_former_contents_stand_beside_the_present_one(edited: Browser) -> None:
    page = (await edited.get(f"/desk/invoices/{KEY}")).text
    assert "Versions, present and former" in page
    assert page.index(f"<code>{PRESENT}</code></summary>") < page.index(f"<code>{SEEN}</code></summary>")
    assert "made by robin" in page


async def test_a_form_that_is_not_open_says_so_and_offers_no_button(edited: Browser) -> None:
    page = (await edited.get(f"{FORM}/retry")).text
    assert "This is not open now" in page
    assert "data-once" not in page
    assert (await edited.post(f"{FORM}/retry", {"revision": PRESENT})).status_code == 409
    assert (await edited.get(f"{FORM}/no-such-form")).status_code == 404


async def test_a_second_person_is_asked_for_only_while_one_is_needed(edited: Browser) -> None:
    words = "Approved by robin; a second person must approve as well."
    for sequence, status in ((3, Status.AWAITING_APPROVAL), (4, Status.BILLED)):
        record = InvoiceRecord(
            key=KEY, sequence=sequence, status=status, total_minor=100_000, currency="USD", version=1,
            revision=PRESENT, approved_by=("robin",),
        )  # fmt: skip
        async with edited.api.database.transaction() as session:
            await invoices.save_record(session, record)
        page = (await edited.get(f"/desk/invoices/{KEY}")).text
        assert (words in page) is (status is Status.AWAITING_APPROVAL)


def _bound_to(page: str) -> str:
    found = re.search(r'name="revision" value="([^"]*)"', page)
    assert found
    return found[1]
