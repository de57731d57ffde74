"""What overtakes something else: cases by an end or a version, an event by the version that was approved."""

from audit.auditor import audit
from tests.audit import paths
from tests.stack import Stack, assert_eventually


async def test_an_invoice_cancelled_with_an_open_case_leaves_none_open(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await stack.recipient(key, "change-request", message="cheaper")
    await stack.until(key, "change_requested")
    answer = await stack.api.post(f"/invoices/{key}/cancel", json={"reason": "wrong project"})
    assert answer.is_success, answer.text
    ended = await stack.until(key, "cancelled")
    await paths.settled(stack)
    report = await audit(await paths.sources(stack))
    assert report.is_clean, (report.violations, ended["cases"])


async def test_a_next_version_answers_every_change_request_of_the_one_before(stack: Stack) -> None:
    await stack.customer()
    await stack.token("dana", *paths.APPROVER)
    key = await stack.milestone(amount="20000.00")
    await stack.until(key, "sent")
    await stack.recipient(key, "change-request", message="cheaper")
    await stack.until(key, "change_requested")
    await stack.recipient(key, "change-request", message="and faster")

    async def both() -> bool:
        return len((await stack.invoice(key))["cases"]) == 2

    await assert_eventually(both)
    await paths.answer_case(stack, key, "accept", patch={"discount": {"type": "percent", "value": "5"}})
    await paths.decide(stack, key, "approve")
    sent = await stack.until(key, "sent", "change_requested")
    assert [case["status"] for case in sent["cases"]] == ["accepted", "superseded"]
    await paths.approved(stack, key, 2)
    await paths.settled(stack)
    report = await audit(await paths.sources(stack))
    assert report.is_clean, report.violations


async def test_an_amendment_whose_webhook_was_lost_outweighs_the_one_before_it(stack: Stack) -> None:
    """Read back from the approved version: the record shows what is locked, not what an event told earlier."""
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await stack.recipient(key, "amend", po_number="OLD")

    async def amended() -> bool:
        return bool((await stack.invoice(key))["recipient"]["po_number"] == "OLD")

    await assert_eventually(amended)
    await stack.faults(seed=1, webhook_drop_rate=1.0)
    await stack.recipient(key, "amend", po_number="NEW")
    await stack.faults()
    await stack.recipient(key, "approve", version="1")
    billed = await stack.until(key, "billed")
    await paths.settled(stack)
    report = await audit(await paths.sources(stack))
    assert (report.violations, billed["recipient"]["po_number"]) == ([], "NEW")
