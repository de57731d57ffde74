"""What happens over days: on the time-skipping server, so that no test waits for them."""

from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from tests.stack import Stack, assert_eventually


def _subjects(stack: Stack) -> list[str]:
    return [str(mail["subject"]) for mail in stack.mailbox.mails]


async def test_an_invoice_that_nobody_looks_at_is_followed_up_once(slow: Stack, skipping: WorkflowEnvironment) -> None:
    await slow.customer()
    key = await slow.milestone()
    await slow.until(key, "sent")
    await assert_eventually(lambda: _count(slow, 1))
    await skipping.sleep(timedelta(days=8))
    await assert_eventually(lambda: _count(slow, 2))
    await skipping.sleep(timedelta(days=30))
    await slow.recipient(key, "approve", version="1")
    await slow.until(key, "billed")
    assert [subject.split()[0] for subject in _subjects(slow)] == ["Your", "Did"]


async def test_a_viewed_invoice_is_never_followed_up(slow: Stack, skipping: WorkflowEnvironment) -> None:
    await slow.customer()
    key = await slow.milestone()
    await slow.until(key, "sent")
    await slow.recipient(key)
    await slow.until(key, "viewed")
    await skipping.sleep(timedelta(days=30))
    await slow.recipient(key, "approve", version="1")
    await slow.until(key, "billed")
    assert len(_subjects(slow)) == 1


async def test_an_approval_that_nobody_gives_expires_and_discards_the_draft(
    slow: Stack, skipping: WorkflowEnvironment
) -> None:
    """Reminder, escalation, expiry on business hours; the timeline holds all three."""
    await slow.customer()
    key = await slow.milestone(amount="30000.00")
    await slow.until(key, "awaiting_approval")
    await skipping.sleep(timedelta(days=40))
    ended = await slow.until(key, "rejected")
    kinds = [entry["kind"] for entry in ended["timeline"]]
    assert [kind for kind in kinds if kind in {"reminder", "escalation", "withdrawn"}] == [
        "reminder",
        "escalation",
        "withdrawn",
    ]
    await slow.assert_no_number_was_used()


async def _count(stack: Stack, count: int) -> bool:
    return len(stack.mailbox.mails) >= count
