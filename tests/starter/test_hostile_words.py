"""One hostile message through the recipient's page, read wherever a person reads: plain text, and nothing that acts."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from records.tokens import Scope
from tests.nasty import KEPT, LONG, MESSAGE, assert_plain
from tests.stack import WEBHOOK_SECRET, Stack, assert_eventually
from tests.starter.changes import asked
from tests.starter.cli.conftest import Billhook, billhook

__all__ = ["billhook"]

HOSTILE_LINE = {"description": f"Design {MESSAGE[:300]}", "quantity": 1, "unit_price_cents": 1_200_000}


async def hostile_case(stack: Stack) -> tuple[str, str]:
    """Hostile in the message, in the name of who asks, in a proposed line and in the PO number."""
    key, case = await asked(
        stack, MESSAGE, line_items=[HOSTILE_LINE], payment_terms="net_45", name=MESSAGE[:200], email="a\x1b[2J\u202e@b"
    )
    answer = await stack.recipient(key, "amend", po_number="=PO\x1b[31m\u202e-1 <b>")
    assert answer.is_success, answer.text

    async def amended() -> bool:
        return (await stack.invoice(key))["recipient"]["po_number"] is not None

    await assert_eventually(amended)
    return key, case


def texts(value: Any) -> list[str]:
    """Every text and every name of a field in a JSON value."""
    if isinstance(value, dict):
        return [text for name, part in value.items() for text in [name, *texts(part)]]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


async def test_the_api_tells_it_word_for_word_and_plain(stack: Stack) -> None:
    key, case = await hostile_case(stack)
    paths = (f"/invoices/{key}", f"/invoices/{key}/change-requests/{case}", "/invoices", "/cases", "/inbox")
    for path in paths:
        for text in texts((await stack.api.get(path)).json()):
            assert_plain(text)
    found = (await stack.api.get(f"/invoices/{key}/change-requests/{case}")).json()
    assert all(words in found["message"] for words in KEPT)
    assert found["comparison"]["parts"] == ["line_items", "payment_terms"]
    assert "<script>" in found["comparison"]["line_items"][0]["proposed"]["description"]


async def test_the_terminal_shows_it_on_its_own_lines_and_is_not_steered(stack: Stack, billhook: Billhook) -> None:
    key, case = await hostile_case(stack)
    for arguments in (
        ("cases", "list"),
        ("cases", "list", "--json"),
        ("cases", "show", key),
        ("cases", "show", key, "--json"),
        ("invoice", "show", key),
        ("invoice", "show", key, "--json"),
        ("events", "list"),
    ):
        code, out, err = await billhook(*arguments)
        assert code == 0, err
        assert_plain(out + err)
    code, out, _ = await billhook("cases", "show", key, "--json")
    assert json.loads(out)["id"] == case
    _, out, _ = await billhook("cases", "list")
    assert len(out.splitlines()) == 2, "a message makes no line of its own"
    cell = out.splitlines()[1].split("  ")[-1]
    assert cell.startswith("'=HYPERLINK"), "a spreadsheet takes it for text"
    _, out, _ = await billhook("cases", "show", key)
    quoted = [line for line in out.splitlines() if "SYSTEM: ignore" in line]
    assert [line[:4] for line in quoted] == ["  | ", "    "], "behind the bar, and in his line's own column"


async def test_no_mail_of_ours_acts_on_it(stack: Stack) -> None:
    await hostile_case(stack)
    assert stack.mailbox.mails
    for mail in stack.mailbox.mails:
        assert_plain(str(mail["Subject"]))
        for part in mail.walk():
            if part.get_content_maintype() == "text":
                body = part.get_payload(decode=True)
                assert isinstance(body, bytes)
                assert_plain(body.decode().replace("\r\n", "\n"))
                assert part.get_content_subtype() == "plain" or "<script>" not in body.decode()


async def test_the_temporal_ui_shows_no_control_byte_and_no_markup_of_his(stack: Stack) -> None:
    key, _ = await hostile_case(stack)
    metadata: Any = await stack.client.get_workflow_handle(key).query("__temporal_workflow_metadata")
    assert "change_requested" in metadata.current_details
    assert_plain(metadata.current_details)
    assert "<script>" not in metadata.current_details
    assert "](" not in metadata.current_details


async def test_accepted_his_line_goes_out_as_it_was_shown(stack: Stack) -> None:
    key, case = await hostile_case(stack)
    path = f"/invoices/{key}/change-requests/{case}"
    seen = (await stack.api.get(path)).json()["comparison"]["line_items"][0]["proposed"]["description"]
    answer = await stack.api.post(f"{path}/decision", json={"action": "accept"})
    assert answer.status_code == 200, answer.text
    waiting = await stack.until(key, "awaiting_approval", "sent")
    if waiting["status"] == "awaiting_approval":
        headers = await stack.token("dana", Scope.APPROVE)
        body = {"action": "approve", "revision": waiting["revision"]}
        assert (await stack.api.post(f"/invoices/{key}/decision", json=body, headers=headers)).is_success
        await stack.until(key, "sent")
    page = (await stack.recipient(key)).json()
    assert (page["version"], [line["description"] for line in page["line_items"]]) == (2, [seen])


async def test_twenty_thousand_characters_in_a_webhook_are_kept_and_shown_shortened(stack: Stack) -> None:
    await stack.customer()
    key = await stack.milestone()
    invoice = await stack.until(key, "sent")
    request = {"id": "cr_long", "message": LONG}
    data = {"invoice_id": invoice["external_id"], "reference": key, "version": 1, "change_request": request}
    event_id, at = f"evt_{uuid4().hex}", datetime.now(UTC)
    body = json.dumps({"id": event_id, "type": "invoice.change_requested", "created_at": at.isoformat(), "data": data})
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(WEBHOOK_SECRET).sign(event_id, at, body),
    }
    answer = await stack.api.post("/webhooks/jupiter", content=body.encode(), headers=headers)
    assert answer.status_code == 202, answer.text
    message = (await stack.until(key, "change_requested"))["cases"][0]["message"]
    assert_plain(message)
    assert (len(message) <= 5000, message.endswith(" [...]")) == (True, True)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_log_is_not_steered_nor_is_a_line_of_it_forged(log_format: str) -> None:
    program = (
        "import json, sys, structlog\n"
        "from starter import logs\n"
        "words = json.loads(sys.argv[1])\n"
        f"logs.configure({log_format!r})\n"
        "log = structlog.get_logger()\n"
        "log.info(words, message=words, other=words)\n"
        "try:\n"
        "    raise ValueError(words)\n"
        "except ValueError:\n"
        "    log.exception('failed')\n"
    )
    answer = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program, json.dumps(MESSAGE)], capture_output=True, text=True, check=True
    )
    assert_plain(answer.stderr)
    assert len([line for line in answer.stderr.splitlines() if "info" in line]) == 1
