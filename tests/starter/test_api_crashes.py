"""The API's half of the crash points: a process that dies between two of its writes leaves what the next pass heals.

Store and signal: test_dispatcher.py. A death after an effect and before it was marked is played by a mark that fails:
what stays behind is the same.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from billing.motions import MilestoneTrigger
from records import events, intents
from records.sql import table
from records.tables import IntentRow
from tests.stack import Stack, assert_eventually, milestone_body

_N = table(IntentRow)


def _fails_once(real: Callable[..., Awaitable[None]]) -> tuple[Callable[..., Awaitable[None]], list[str]]:
    failed: list[str] = []

    async def mark(*args: Any, **kwargs: Any) -> None:
        if not failed:
            failed.append("died before the mark")
            raise OSError(failed[0])
        await real(*args, **kwargs)

    return mark, failed


async def _is_marked_started(stack: Stack, key: str) -> bool:
    async with stack.database.session() as session:
        return (await session.execute(select(_N.c.started_at).where(_N.c.key == key))).scalar_one() is not None


async def _is_all_settled(stack: Stack) -> bool:
    """The API has told that it sent the invoice, and that is dealt with."""
    listed = (await stack.api.get("/events")).json()["data"]
    return bool(listed) and all(one["fate"] != "pending" for one in listed)


async def _references(stack: Stack) -> list[str]:
    return [invoice["reference"] for invoice in (await stack.truth())["invoices"]]


async def test_an_intent_that_was_registered_and_not_started_is_billed_once(stack: Stack) -> None:
    await stack.customer()
    intent = MilestoneTrigger.model_validate(milestone_body()).to_intent("admin")
    async with stack.database.transaction() as session:
        assert await intents.register(session, intent)
    await stack.until(intent.key, "sent")
    assert await _references(stack) == [intent.key]


async def test_a_workflow_that_was_started_and_not_marked_is_not_started_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, failed = _fails_once(intents.mark_started)
    monkeypatch.setattr(intents, "mark_started", mark)
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await assert_eventually(lambda: _is_marked_started(stack, key))
    assert failed
    assert await _references(stack) == [key]
    assert len(stack.mailbox.mails) <= 1


async def test_an_event_that_was_signalled_and_not_marked_counts_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the workflow states the fate first or the next pass signals again is a race; both end here."""
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    await assert_eventually(lambda: _is_all_settled(stack))
    mark, failed = _fails_once(events.mark)
    monkeypatch.setattr(events, "mark", mark)
    await stack.recipient(key)
    await stack.until(key, "viewed")
    await stack.recipient(key, "approve", version="1")
    billed = await stack.until(key, "billed")
    assert failed
    told = [entry["text"] for entry in billed["timeline"] if entry["kind"] == "event"]
    assert sorted(told) == ["approved V1", "viewed V1"]
    assert stack.settings.ledger.read_text().count(f'billhook_key: "{key}"') == 1
