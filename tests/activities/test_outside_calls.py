"""What a step asked of outside systems rides on its answer, under the step key that the other side was given."""

from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from tests.audit import paths
from tests.stack import Stack, assert_eventually

_SECRETS = ("Bearer", "jk_test_key", "127.0.0.1")


async def _answers(stack: Stack, key: str) -> tuple[dict[str, Any], str]:
    """Per activity the calls on its last answer; and all of the answers as text."""
    history = await stack.client.get_workflow_handle(key).fetch_history()
    named, found, raw = {}, {}, ""
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            named[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            (answer,) = await stack.client.data_converter.decode(done.result.payloads)
            found[named[done.scheduled_event_id]] = answer["calls"]
            raw += str(answer["calls"])
    return found, raw


def _told(calls: list[dict[str, Any]]) -> list[tuple[str, str, int, str]]:
    return [(one["system"], one["method"], one["status"], one["step_key"]) for one in calls]


async def test_every_outside_step_of_an_invoices_life_tells_what_it_asked_and_under_which_key(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone(deal_id="deal_1")
    await paths.approved(stack, key)
    await stack.client.get_workflow_handle(key).result()
    found, raw = await _answers(stack, key)
    assert _told(found["create_draft"]) == [("jupiter", "POST", 201, f"{key}:create")]
    assert _told(found["issue"]) == [("jupiter", "POST", 200, f"{key}:issue:v1")]
    assert _told(found["send_mail"]) == [("smtp", "SEND", 250, f"{key}:mail-link:v1")]
    assert _told(found["read_locked"]) == [("jupiter", "GET", 200, "")]
    assert _told(found["mark_billed"]) == [("crm", "BILLED", 200, f"{key}:mark-billed")]
    assert _told(found["post_invoice"]) == [("accounting", "POST", 200, key)]
    ((system, method, status, step_key),) = _told(found["sync_fields"])
    assert (system, method, status, step_key.startswith(f"{key}:sync-")) == ("crm", "UPDATE", 200, True)
    assert not [secret for secret in _SECRETS if secret in raw]
    invoice = await stack.invoice(key)
    token = str(invoice["link"]).rpartition("/")[2]
    assert token not in raw
    shown = [line["text"] for line in invoice["timeline"] if line["kind"] == "call"]
    # Everything but the mail, which has a line of its own; the last step's rode on the record of the end.
    assert len(shown) == sum(len(calls) for step, calls in found.items() if step != "send_mail")
    assert [text for text in shown if text.startswith("post invoice: accounting answered 200")]
    assert [text for text in shown if text.startswith("create draft: the invoicing API answered 201 to POST /api/")]


@pytest.mark.parametrize("fault", ["drop_after_rate", "error_rate"])
async def test_a_pending_step_shows_its_last_failure_in_words_in_the_temporal_ui(stack: Stack, fault: str) -> None:
    async def retried() -> str:
        described = (await stack.client.get_workflow_handle(key).describe()).raw_description
        return next((one.last_failure.message for one in described.pending_activities if one.attempt > 1), "")

    await stack.customer()
    await stack.faults(seed=1, **{fault: 1.0})
    key = await stack.milestone()
    assert str(await assert_eventually(retried)).startswith("POST /api/v1/invoices ")
    await stack.faults()
