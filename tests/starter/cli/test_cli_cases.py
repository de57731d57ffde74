"""A change request answered from the terminal, on the whole stack: seen side by side, taken, accepted, declined."""

import json
from pathlib import Path

from starter.cli.exits import Exit
from tests.stack import Stack, assert_eventually
from tests.starter.changes import LINES, asked
from tests.starter.cli.conftest import Billhook


async def test_a_case_is_shown_side_by_side_with_its_effect_and_accepted_whole(
    stack: Stack, billhook: Billhook
) -> None:
    key, case = await asked(stack, line_items=LINES, discount_percent="10", currency="USD")
    code, out, err = await billhook("cases", "show", key)
    assert (code, err) == (0, "")
    shown = [line.split() for line in out.splitlines()]
    assert ["total", "12500.00", "10350.00", "-2150.00"] in shown
    assert ["discount", "-", "10", "%", "=", "1150.00", "off", "-1150.00"] in shown
    assert "can be accepted  line_items, discount" in out
    assert "  | Please split it" in out
    code, out, err = await billhook("cases", "accept", key, "--note", "agreed")
    assert (code, out.split()[:2]) == (0, [key, case]), err
    waiting = await stack.until(key, "awaiting_approval", "sent")
    assert (waiting["version"], waiting["total"]) == (2, "10350.00")


async def test_parts_are_accepted_alone_and_an_unsound_one_is_refused_by_name(stack: Stack, billhook: Billhook) -> None:
    key, case = await asked(stack, discount_percent="10", payment_terms="net_45")
    code, out, err = await billhook("cases", "accept", key, case, "--parts", "line_items")
    assert (code, out) == (Exit.REFUSED, "")
    assert "line_items: it is not proposed" in err
    assert "next:  name some of discount, payment_terms" in err
    code, _, err = await billhook("cases", "accept", key, case, "--parts", "payment_terms")
    assert code == 0, err
    assert (await stack.until(key, "awaiting_approval", "sent"))["total"] == "12500.00"


async def test_an_edit_in_a_file_is_accepted_in_the_place_of_the_proposal(
    stack: Stack, billhook: Billhook, tmp_path: Path
) -> None:
    key, _ = await asked(stack, message="Too expensive")
    code, _, err = await billhook("cases", "accept", key)
    assert (code, "in words alone" in err) == (Exit.REFUSED, True)
    edit = tmp_path / "edit.json"
    edit.write_text('{"discount": {"type": "percent", "value": "4"}}')
    code, _, err = await billhook("cases", "accept", key, "--patch", str(edit))
    assert code == 0, err
    assert (await stack.until(key, "awaiting_approval", "sent"))["total"] == "12000.00"


async def test_a_case_is_taken_then_declined_with_an_answer_that_the_recipient_reads(
    stack: Stack, billhook: Billhook
) -> None:
    key, case = await asked(stack, discount_percent="10")
    code, out, err = await billhook("cases", "take", key)
    assert (code, out) == (0, f"{key}  {case}  change_requested\n"), err
    code, out, _ = await billhook("cases", "list", "--json")
    assert [(one["owner"], one["first_response_at"] is not None) for one in json.loads(out)] == [("dana", True)]
    assert (await billhook("cases", "decline", key))[0] == Exit.USAGE
    code, _, err = await billhook("cases", "decline", key, "--answer", "The price was agreed in March.")
    assert code == 0, err
    assert "The price was agreed in March." in (await stack.recipient(key)).text
    code, _, err = await billhook("cases", "decline", key, "--answer", "again")
    assert (code, "no open change request" in err) == (Exit.NOT_FOUND, True)
    code, out, _ = await billhook("cases", "show", key, "--json")
    assert (code, json.loads(out)["status"]) == (0, "declined")


async def _cases(stack: Stack, key: str, count: int) -> bool:
    return len((await stack.invoice(key))["cases"]) == count


async def test_of_several_open_cases_one_must_be_named(stack: Stack, billhook: Billhook) -> None:
    key, first = await asked(stack, discount_percent="10")
    await stack.recipient(key, "change-request", message="And later, please", due_date="2027-01-31")
    await assert_eventually(lambda: _cases(stack, key, 2))
    code, _, err = await billhook("cases", "show", key)
    assert (code, "name one" in err, first in err) == (Exit.USAGE, True, True)
    code, _, _ = await billhook("cases", "show", key, "none")
    assert code == Exit.NOT_FOUND


async def test_approvals_say_to_whom_by_when_and_why_and_are_delegated(stack: Stack, billhook: Billhook) -> None:
    await stack.customer()
    key = await stack.milestone(amount="30000.00")
    await stack.until(key, "awaiting_approval")
    code, out, _ = await billhook("approvals", "list")
    head, row = out.splitlines()
    assert (code, head.split()[4:7]) == (0, ["assignee", "deadline", "approved_by"])
    assert row.startswith(key)
    code, out, _ = await billhook("approvals", "list", "--json")
    assert [(one["key"], one["approved_by"]) for one in json.loads(out)] == [(key, [])]
    assert (await billhook("invoice", "delegate", key))[0] == Exit.USAGE
