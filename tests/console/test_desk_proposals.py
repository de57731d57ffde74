"""What an agent proposed is shown where a person decides, fills the form that he confirms, and decides nothing."""

import uuid
from datetime import date
from typing import Any

import pytest
from playwright.async_api import expect

from billing.decisions import Action, Propose
from billing.intent import Patch
from records.tokens import Scope
from starter import asking
from tests.console.browser import Person
from tests.console.office import Office, dana, office
from tests.console.world import PROPOSED, change_requested, to_approve
from tests.stack import Stack

__all__ = ["dana", "office"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def proposed(stack: Stack, key: str, answer: Action, note: str, **said: Any) -> str:
    """An agent's answer to the only change request; its id."""
    case: str = (await stack.invoice(key))["cases"][0]["id"]
    wish = {"action": Action.PROPOSE_ANSWER, "case_id": case, "answer": answer, "note": note, **said}
    await asking.propose(stack.client, key, Propose(actor="clerk", call_id=uuid.uuid4().hex, **wish))
    return case


async def test_a_proposal_to_accept_in_part_fills_the_form_that_a_person_confirms(office: Office, dana: Person) -> None:
    key = await change_requested(office.stack, line_items=PROPOSED, payment_terms="net_45")
    await proposed(office.stack, key, Action.ACCEPT_CHANGE, "the lines are right", parts=("line_items",))
    await dana.open(key)
    shown = dana.page.get_by_role("group", name="Proposal of clerk")
    await expect(shown).to_contain_text("proposes to accept it, of it line items")
    await expect(shown).to_contain_text("the lines are right")
    assert await dana.axe() == []
    await shown.get_by_role("link", name="Accept as proposed").click()
    await expect(dana.sheet().get_by_label("line items")).to_be_checked()
    await expect(dana.sheet().get_by_label("payment terms")).not_to_be_checked()
    assert (await office.stack.invoice(key))["status"] == "change_requested"
    await dana.sheet().get_by_role("button", name="Accept").click()
    await dana.said("Accept: done.")
    second = await office.stack.until(key, "awaiting_approval")
    assert [(one["action"], one["actor"], one["note"]) for one in second["decisions"]] == [
        ("accept_change_request", "dana", "")
    ]
    assert second["total"] == "11500.00"
    await dana.open(key)
    await expect(dana.page.get_by_role("group", name="Proposal of clerk")).to_have_count(0)


async def test_a_proposed_answer_can_be_changed_before_the_recipient_gets_it(office: Office, dana: Person) -> None:
    key = await change_requested(office.stack, "Could it be cheaper?")
    await proposed(office.stack, key, Action.DECLINE_CHANGE, "No.")
    await proposed(office.stack, key, Action.DECLINE_CHANGE, "The price is as agreed.")
    await dana.open(key)
    await dana.page.get_by_role("link", name="Decline as proposed").click()
    answer = dana.sheet().get_by_label("Answer to the recipient")
    await expect(answer).to_have_value("The price is as agreed.")
    await answer.fill("The price is as agreed in March.")
    await dana.sheet().get_by_role("button", name="Decline").click()
    await dana.said("Decline: done.")
    (case,) = (await office.stack.invoice(key))["cases"]
    assert (case["status"], case["answer"]) == ("declined", "The price is as agreed in March.")


async def test_a_proposed_edit_shows_its_effect_before_it_is_confirmed(office: Office, dana: Person) -> None:
    key = await change_requested(office.stack, "We pay later")
    case = await proposed(office.stack, key, Action.ACCEPT_CHANGE, "a fair day", patch=Patch(due_date=date(2027, 3, 1)))
    await dana.open(key)
    await dana.page.get_by_role("link", name="Accept with an edit as proposed").click()
    await expect(dana.sheet().get_by_label("Due date")).to_have_value("2027-03-01")
    await dana.sheet().get_by_role("button", name="Show the effect").click()
    await dana.page.get_by_role("region", name="What your edit changes").wait_for()
    assert (await office.stack.invoice(key))["status"] == "change_requested"
    for address in (f"accept?case={case}&proposal=999", f"decline?case={case}&proposal=1"):
        await dana.page.goto(f"{dana.address}/desk/invoices/{key}/do/{address}")
        await expect(dana.page.get_by_text("no agent proposed that")).to_be_visible()


async def test_a_wish_for_issue_stands_above_the_forms_and_who_may_only_look_gets_none(office: Office) -> None:
    key = await to_approve(office.stack)
    revision = (await office.stack.invoice(key))["revision"]
    wish = Propose(action=Action.REQUEST_ISSUE, actor="clerk", call_id="once", revision=revision, note="it is urgent")
    await asking.propose(office.stack.client, key, wish)
    async with office.person("otto", Scope.READ) as otto:
        await otto.sign_in()
        await otto.open(key)
        await expect(otto.page.get_by_text("clerk, an agent, asks for it to be issued")).to_contain_text("it is urgent")
        await expect(otto.page.get_by_role("link", name="Approve")).to_have_count(0)
    assert (await office.stack.invoice(key))["status"] == "awaiting_approval"
