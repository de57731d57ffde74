"""A change request answered over HTTP, on the whole stack: accepted whole, in part or by an edit, or declined."""

from typing import Any

from records.tokens import Scope
from tests.stack import Stack
from tests.starter.changes import LINES, asked


async def answer(stack: Stack, key: str, case: str, **body: Any) -> Any:
    headers = await stack.token("dana", Scope.APPROVE)
    return await stack.api.post(f"/invoices/{key}/change-requests/{case}/decision", json=body, headers=headers)


async def approved_by_dana(stack: Stack, key: str) -> dict[str, Any]:
    """The next version once it is out; whoever asked for changes before needs a person's yes."""
    invoice = await stack.until(key, "awaiting_approval", "sent")
    if invoice["status"] == "awaiting_approval":
        headers = await stack.token("dana", Scope.APPROVE)
        body = {"action": "approve", "revision": invoice["revision"]}
        given = await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)
        assert given.status_code == 200, given.text
    return await stack.until(key, "sent")


async def at_the_api(stack: Stack, key: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in (await stack.truth())["invoices"] if one["reference"] == key]
    assert len(found) == 1
    return found[0]


async def test_accepted_without_an_edit_the_next_version_is_what_was_proposed(stack: Stack) -> None:
    key, case = await asked(stack, line_items=LINES, payment_terms="net_45")
    given = await answer(stack, key, case, action="accept", note="agreed")
    assert given.status_code == 200, given.text
    invoice = await approved_by_dana(stack, key)
    assert (invoice["version"], invoice["total"]) == (2, "11500.00")
    assert (await at_the_api(stack, key))["total_cents"] == 1_150_000
    assert [(one["status"], one["in_part"]) for one in invoice["cases"]] == [("accepted", False)]


async def test_one_invoice_and_one_case_show_the_proposal_beside_what_stands(stack: Stack) -> None:
    key, case = await asked(stack, line_items=LINES, currency="USD", payment_terms="net_45")
    found = (await stack.invoice(key))["cases"][0]["comparison"]
    assert [row["difference"] for row in found["line_items"]] == ["changed", "added"]
    assert found["line_items"][0]["present"] == {
        "description": "Design approved",
        "quantity": "1",
        "unit_price": "12500",
        "amount": "12500.00",
    }
    assert found["total"] == {
        "present": "12500.00",
        "proposed": "11500.00",
        "effect": "-1000.00",
        "effect_minor": -100_000,
    }
    assert (found["payment_terms"]["present"], found["payment_terms"]["proposed"]) == ("net_30", "net_45")
    assert found["parts"] == ["line_items", "payment_terms"]
    assert (await stack.api.get(f"/invoices/{key}/change-requests/{case}")).json()["comparison"] == found
    assert (await stack.api.get(f"/invoices/{key}/change-requests/none")).status_code == 404


async def test_a_list_of_cases_reads_no_contents(stack: Stack) -> None:
    key, _ = await asked(stack, line_items=LINES)
    listed = (await stack.api.get("/cases")).json()["data"]
    assert [(one["key"], one["comparison"]) for one in listed] == [(key, None)]


async def test_of_several_parts_only_those_named_are_accepted(stack: Stack) -> None:
    key, case = await asked(stack, line_items=LINES, discount_percent="10")
    given = await answer(stack, key, case, action="accept", parts=["line_items"])
    assert given.status_code == 200, given.text
    invoice = await approved_by_dana(stack, key)
    assert (invoice["total"], invoice["cases"][0]["in_part"]) == ("11500.00", True)


async def test_an_edit_is_the_answer_where_one_is_given(stack: Stack) -> None:
    key, case = await asked(stack, discount_percent="10")
    patch = {"discount": {"type": "percent", "value": "4"}}
    given = await answer(stack, key, case, action="accept", patch=patch)
    assert given.status_code == 200, given.text
    assert (await approved_by_dana(stack, key))["total"] == "12000.00"


async def test_a_proposal_with_nothing_to_accept_is_a_422_naming_the_part_and_the_cause(stack: Stack) -> None:
    key, case = await asked(stack, currency="EUR")
    given = await answer(stack, key, case, action="accept")
    assert (given.status_code, given.json()["errors"][0]["field"]) == (422, "proposed")
    assert "currency: an invoice keeps its currency, USD" in given.json()["detail"]
    assert (await stack.invoice(key))["status"] == "change_requested"


async def test_a_part_that_is_not_proposed_is_a_422_naming_those_that_are(stack: Stack) -> None:
    key, case = await asked(stack, payment_terms="net_45")
    given = await answer(stack, key, case, action="accept", parts=["line_items"])
    assert (given.status_code, given.json()["errors"][0]["field"]) == (422, "parts")
    assert "payment_terms" in given.json()["next_step"]


async def test_a_wish_in_words_alone_needs_an_edit_or_an_answer(stack: Stack) -> None:
    key, case = await asked(stack, message="Too expensive")
    given = await answer(stack, key, case, action="accept")
    assert (given.status_code, "in words alone" in given.json()["detail"]) == (422, True)


async def test_declined_the_recipient_reads_the_answer_and_the_version_stands(stack: Stack) -> None:
    key, case = await asked(stack, discount_percent="10")
    given = await answer(stack, key, case, action="decline", note="The price was agreed in March.")
    assert given.status_code == 200, given.text
    invoice = await stack.until(key, "sent", "viewed")
    assert (invoice["version"], invoice["total"]) == (1, "12500.00")
    assert [(one["status"], one["answer"]) for one in invoice["cases"]] == [
        ("declined", "The price was agreed in March.")
    ]
    assert "The price was agreed in March." in (await stack.recipient(key)).text
