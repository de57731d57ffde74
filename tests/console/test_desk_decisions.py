"""What a person decides at the desk in a real browser, and what became of it at the API's end."""

import pytest

from billing.record import Fate
from records.tokens import Scope
from tests.console.browser import Person
from tests.console.office import Office, dana, office
from tests.console.world import PROPOSED, change_requested, fate, parked, quarantined, sent, to_approve
from tests.stack import milestone_body

__all__ = ["dana", "office"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_approval_from_the_inbox_issues_the_invoice(office: Office, dana: Person) -> None:
    key = await to_approve(office.stack)
    await dana.go("/desk/")
    await dana.row(key).get_by_role("link", name="Approve").click()
    await dana.sheet().get_by_role("button", name="Approve").click()
    await dana.said("Approve: done.")
    invoice = await office.stack.until(key, "sent")
    assert [(one["action"], one["actor"]) for one in invoice["decisions"]] == [("approve", "dana")]


async def test_looking_at_the_form_decides_nothing(office: Office, dana: Person) -> None:
    key = await to_approve(office.stack)
    for name in ("approve", "reject", "cancel"):
        await dana.go(f"/desk/invoices/{key}/do/{name}")
    assert (await office.stack.invoice(key))["decisions"] == []


async def test_an_edit_shows_its_effect_first_and_is_approved_as_shown(office: Office, dana: Person) -> None:
    key = await to_approve(office.stack)
    await dana.open(key)
    await dana.page.get_by_role("link", name="Approve with an edit").click()
    await dana.sheet().get_by_label("Unit price").first.fill("28000.00")
    await dana.sheet().get_by_label("Note").fill("as agreed by phone")
    await dana.sheet().get_by_role("button", name="Show the effect").click()
    shown = dana.page.get_by_role("region", name="What your edit changes")
    await shown.get_by_text("\N{MINUS SIGN}2,000.00").first.wait_for()
    assert (await office.stack.invoice(key))["status"] == "awaiting_approval"
    await dana.page.get_by_role("button", name="Approve with an edit").click()
    await dana.said("Approve with an edit: done.")
    invoice = await office.stack.until(key, "sent")
    assert invoice["total"] == "28000.00"
    (decision,) = invoice["decisions"]
    assert decision["note"] == "as agreed by phone"
    assert decision["result_revision"] != decision["revision"]


async def test_an_edit_that_was_changed_again_is_shown_again_before_it_is_sent(office: Office, dana: Person) -> None:
    key = await to_approve(office.stack)
    await dana.go(f"/desk/invoices/{key}/do/approve-edited")
    await dana.page.get_by_label("Unit price").first.fill("28000.00")
    await dana.page.get_by_role("button", name="Show the effect").click()
    await dana.page.get_by_label("Unit price").first.fill("1.00")
    await dana.page.get_by_role("button", name="Approve with an edit").click()
    await dana.page.get_by_text("\N{MINUS SIGN}29,999.00").first.wait_for()
    assert (await office.stack.invoice(key))["decisions"] == []


async def test_a_rejection_needs_its_reason_and_keeps_it(office: Office, dana: Person) -> None:
    key = await to_approve(office.stack)
    await dana.go(f"/desk/invoices/{key}/do/reject")
    await dana.page.get_by_role("button", name="Reject").click()
    assert await dana.page.get_by_label("Reason").evaluate("field => field.validity.valueMissing")
    await dana.page.get_by_label("Reason").fill("billed twice")
    await dana.page.get_by_role("button", name="Reject").click()
    await dana.said("Reject: done.")
    assert (await office.stack.until(key, "rejected"))["decisions"][0]["note"] == "billed twice"


async def test_a_refusal_comes_back_as_words_and_keeps_what_was_typed(office: Office) -> None:
    mine = await office.stack.token("erin", Scope.APPROVE, Scope.TRIGGER)
    key = await triggered_by(office, mine)
    async with office.person("erin", Scope.APPROVE, Scope.TRIGGER) as erin:
        await erin.sign_in()
        await erin.go(f"/desk/invoices/{key}/do/approve")
        await erin.page.get_by_label("Note").fill("my own work, and good")
        await erin.page.get_by_role("button", name="Approve").click()
        await erin.page.get_by_role("alert").get_by_text("nobody approves what he triggered").wait_for()
        assert await erin.page.get_by_label("Note").input_value() == "my own work, and good"
    assert (await office.stack.invoice(key))["status"] == "awaiting_approval"


async def triggered_by(office: Office, headers: dict[str, str]) -> str:
    answer = await office.stack.api.post("/triggers/milestone", json=milestone_body(amount="30000.00"), headers=headers)
    assert answer.status_code == 202, answer.text
    key = str(answer.json()["key"])
    await office.stack.until(key, "awaiting_approval")
    return key


async def test_a_revision_that_was_never_seen_is_refused_and_asked_again(office: Office, dana: Person) -> None:
    key = await to_approve(office.stack)
    await dana.go(f"/desk/invoices/{key}/do/approve")
    await dana.page.locator("input[name=revision]").evaluate("field => { field.value = '0123456789abcdef'; }")
    await dana.page.get_by_role("button", name="Approve").click()
    await dana.page.get_by_role("alert").get_by_text("is not the present one").wait_for()
    assert (await office.stack.invoice(key))["decisions"] == []
    await dana.page.get_by_role("button", name="Approve").click()
    await dana.said("Approve: done.")
    await office.stack.until(key, "sent")


async def test_a_change_request_is_accepted_to_v2_and_its_approval_is_seen(office: Office, dana: Person) -> None:
    key = await change_requested(office.stack, line_items=PROPOSED, payment_terms="net_45")
    await dana.open(key)
    asked = dana.page.get_by_role("region", name="What is asked for, beside what stands")
    await asked.get_by_text("\N{MINUS SIGN}1,000.00").first.wait_for()
    await dana.page.get_by_role("link", name="Accept", exact=True).click()
    await dana.sheet().get_by_label("payment terms").uncheck()
    await dana.sheet().get_by_role("button", name="Accept").click()
    await dana.said("Accept: done.")
    await office.stack.until(key, "awaiting_approval")
    await dana.go(f"/desk/invoices/{key}/do/approve")
    await dana.page.get_by_role("button", name="Approve").click()
    second = await office.stack.until(key, "sent")
    assert (second["version"], second["total"]) == (2, "11500.00")
    assert second["cases"][0]["in_part"]
    await office.stack.recipient(key, "approve", version="2")
    await office.stack.until(key, "billed")
    await dana.open(key)
    await dana.page.get_by_role("heading", name=key).locator("..").get_by_text("billed").wait_for()


async def test_a_change_request_is_declined_with_an_answer(office: Office, dana: Person) -> None:
    key = await change_requested(office.stack, "Could it be cheaper?")
    await dana.go("/desk/?kind=case")
    await dana.row(key).get_by_role("link", name="Answer").click()
    await dana.page.get_by_role("link", name="Decline").click()
    await dana.sheet().get_by_label("Answer to the recipient").fill("The price is as agreed.")
    await dana.sheet().get_by_role("button", name="Decline").click()
    await dana.said("Decline: done.")
    (case,) = (await office.stack.invoice(key))["cases"]
    assert (case["status"], case["answer"]) == ("declined", "The price is as agreed.")


async def test_a_failed_invoice_is_repaired_from_the_queue(office: Office, dana: Person) -> None:
    key = await parked(office.stack)
    await dana.go("/desk/repair")
    row = dana.row(key)
    await row.get_by_text("send mail", exact=True).wait_for()
    await row.get_by_role("link", name=f"Retry {key}").click()
    await dana.sheet().get_by_role("button", name="Retry").click()
    await dana.said("Retry: done.")
    await office.stack.until(key, "sent")


async def test_a_quarantined_event_is_replayed_and_counted(office: Office) -> None:
    key = await sent(office.stack)
    event = await quarantined(office.stack, key)
    async with office.person("ada", Scope.ADMIN) as ada:
        await ada.sign_in("/desk/events")
        await ada.row(key).filter(has_text=event).get_by_role("button", name="Replay").click()
        await ada.said("is on its way again")
    await fate(office.stack, event, Fate.APPLIED)
    await office.stack.until(key, "viewed")


async def test_who_may_only_look_finds_no_form_and_is_refused_one(office: Office) -> None:
    key = await to_approve(office.stack)
    async with office.person("lee", Scope.READ) as lee:
        await lee.sign_in()
        assert await lee.row(key).get_by_role("link", name="Approve").count() == 0
        answer = await lee.page.goto(f"{lee.address}/desk/invoices/{key}/do/approve")
        assert answer is not None
        assert answer.status == 403
