"""A call made twice is one, an error says what to do next, and books with an agent in them are sound."""

import asyncio
from typing import Any

from temporalio.client import WorkflowUpdateFailedError

from audit.auditor import audit
from audit.sources import Sources
from billing.decisions import Action, Propose
from records.tokens import Scope
from starter.agents.calls import call_id
from starter.client import Engine, EngineUnreachable
from tests.agents.office import over_http, typed_error
from tests.agents.tokens import agent_token
from tests.stack import Stack, milestone_body


def proposals(invoice: dict[str, Any]) -> list[str]:
    return [entry["text"] for entry in invoice["timeline"] if entry["kind"] == "proposed"]


async def test_the_same_call_twice_is_one_and_gets_the_same_answer(stack: Stack) -> None:
    await stack.customer()
    async with over_http(stack, *await agent_token(stack)) as agent:
        key = await agent.drafts(**milestone_body(amount="9000.00"))
        revision = (await stack.until(key, "awaiting_approval"))["revision"]
        asked = {"key": key, "revision": revision, "note": "please"}
        answers = await asyncio.gather(*(agent.does("request_issue", **asked) for _ in range(3)))
        assert answers[0] == answers[1] == answers[2]
        assert await agent.does("request_issue", **asked) == answers[0]
        assert len(proposals(await stack.until(key, "awaiting_approval"))) == 1
        await agent.does("request_issue", **asked, idempotency_key="once more")
        await agent.does("request_issue", **asked, idempotency_key="once more")
        assert len(proposals(await stack.until(key, "awaiting_approval"))) == 2
        other = {**asked, "note": "pretty please"}
        assert (await agent.refused("request_issue", **other, idempotency_key="once more"))["error"] == "conflict"
        assert len(proposals(await stack.until(key, "awaiting_approval"))) == 2


async def test_of_two_wishes_under_one_key_at_once_one_is_kept(stack: Stack) -> None:
    await stack.customer()
    async with over_http(stack, *await agent_token(stack)) as agent:
        key = await agent.drafts(**milestone_body(amount="9000.00"))
        revision = (await stack.until(key, "awaiting_approval"))["revision"]
        asked = {"key": key, "revision": revision, "idempotency_key": "mine"}
        found = await asyncio.gather(*(agent.raw("request_issue", **asked, note=note) for note in "abcd"))
        (kept,) = [one for one in found if not one.is_error]
        refused = [typed_error(one) for one in found if one is not kept]
        # The kept one may have moved the draft on already.
        assert {one["error"] for one in refused} <= {"conflict", "not-possible"}
        assert len(proposals(await stack.invoice(key))) == 1


async def test_the_same_call_that_comes_by_two_updates_at_once_is_one(stack: Stack) -> None:
    await stack.customer()
    async with over_http(stack, *await agent_token(stack)) as agent:
        key = await agent.drafts(**milestone_body(amount="9000.00"))
        revision = (await stack.until(key, "awaiting_approval"))["revision"]
    handle = stack.client.get_workflow_handle(key)

    async def asks(action: Action, seen: str) -> list[Any]:
        wish = Propose(action=action, actor=agent.name, call_id=f"{action}:{seen}", revision=seen)
        calls = [handle.execute_update("propose", wish, id=f"{action}-{number}") for number in range(3)]
        return await asyncio.gather(*calls, return_exceptions=True)

    refused = await asks(Action.REVISE_DRAFT, revision)
    assert {type(one) for one in refused} == {WorkflowUpdateFailedError}
    first, *others = await asks(Action.REQUEST_ISSUE, revision)
    assert first["status"] == "awaiting_approval"
    assert others == [first, first]
    assert len(proposals(await stack.invoice(key))) == 1


async def test_what_an_agent_is_answered_our_records_hold(stack: Stack) -> None:
    await stack.customer()
    async with over_http(stack, *await agent_token(stack)) as agent:
        key = await agent.drafts(**milestone_body(amount="9000.00"))
        revision = (await stack.until(key, "awaiting_approval"))["revision"]
        patch = {"line_items": [{"description": "Design", "unit_price": "30000.00"}]}
        revised = await agent.does("revise_draft", key=key, revision=revision, patch=patch)
        held = await stack.invoice(key)
        assert (held["status"], held["revision"]) == (revised["status"], revised["revision"])
        assert held["assessment"]["reasons"]


def test_a_call_is_named_by_what_it_says_and_by_whose_it_is() -> None:
    said = {"key": "k", "note": "n"}
    assert call_id("a", "t", said) == call_id("a", "t", dict(reversed(said.items())))
    assert len({call_id("a", "t", said), call_id("b", "t", said), call_id("a", "u", said)}) == 3
    named = [call_id("a", "t", {**said, "note": note}, "mine").partition(":") for note in "xy"]
    assert named[0][0] == named[1][0]
    assert named[0][2] != named[1][2]
    assert call_id("b", "t", said, "mine").partition(":")[0] != named[0][0]


async def test_an_error_is_typed_and_says_what_to_do_next(stack: Stack) -> None:
    await stack.customer()
    async with over_http(stack, *await agent_token(stack)) as agent:
        trigger = milestone_body(amount="9000.00")
        key = await agent.drafts(**trigger)
        seen = await stack.until(key, "awaiting_approval")
        stale = await agent.refused("request_issue", key=key, revision="0" * 16)
        assert (stale["error"], stale["retryable"]) == ("stale-revision", False)
        assert "read the invoice again" in stale["next_step"]
        taken = await agent.refused("draft_invoice", motion="milestone", trigger={**trigger, "amount": "9001.00"})
        assert taken["error"] == "key-taken"
        bad = await agent.refused("draft_invoice", motion="milestone", trigger={**trigger, "amount": "ten"})
        assert (bad["error"], bad["field"]) == ("bad-input", "amount")
        missing = await agent.refused("invoice_status")
        assert (missing["error"], missing["field"]) == ("bad-input", "key")
        assert (await agent.refused("approve_everything"))["error"] == "not-found"
        wrong = await agent.refused("propose_case_answer", key=key, case_id="cr_9", answer="accept", note="yes")
        assert wrong["error"] == "not-possible"
        patch = {"discount": {"type": "percent", "value": "110"}}
        over = await agent.refused("revise_draft", key=key, revision=seen["revision"], patch=patch)
        assert (over["error"], over["field"]) == ("bad-input", "discount.value")


async def test_where_temporal_is_away_the_same_call_may_work_later(stack: Stack, monkeypatch: Any) -> None:
    await stack.customer()
    async with over_http(stack, *await agent_token(stack)) as agent:
        key = await agent.drafts(**milestone_body(amount="9000.00"))
        revision = (await stack.until(key, "awaiting_approval"))["revision"]

        async def away(_: Engine) -> Any:
            raise EngineUnreachable("connection refused")

        monkeypatch.setattr(Engine, "client", away)
        refused = await agent.refused("request_issue", key=key, revision=revision)
    assert (refused["error"], refused["retryable"]) == ("engine-unreachable", True)
    assert "try again shortly" in refused["next_step"]


async def test_books_with_an_agent_in_them_are_sound_and_its_trail_is_whole(stack: Stack) -> None:
    await stack.customer()
    async with over_http(stack, *await agent_token(stack)) as agent:
        alone = await agent.drafts(**milestone_body(amount="100.00"))
        revision = (await stack.until(alone, "awaiting_approval"))["revision"]
        patch = {"line_items": [{"description": "Design", "unit_price": "120.00"}]}
        revised = await agent.does("revise_draft", key=alone, revision=revision, patch=patch)
        assert revised["status"] == "awaiting_approval"
        await agent.does("request_issue", key=alone, revision=revised["revision"])
        asked = await agent.drafts(**milestone_body(amount="9000.00"))
        revision = (await stack.until(asked, "awaiting_approval"))["revision"]
        await agent.does("request_issue", key=asked, revision=revision)
    body = {"action": "approve", "revision": revision}
    dana = await stack.token("dana", Scope.APPROVE)
    assert (await stack.api.post(f"/invoices/{asked}/decision", json=body, headers=dana)).is_success
    for key in (alone, asked):
        await stack.until(key, "sent")
        assert (await stack.recipient(key, "approve", version="1")).is_success
        assert (await stack.until(key, "billed"))["status"] == "billed"
    given: Any = {"truth": await stack.truth(), "ledger": stack.settings.ledger, "mails": stack.mailbox.mails}
    report = await audit(Sources(stack.database, client=stack.client, **given))
    assert report.is_clean, [f"{name} {found.subject}: {found.evidence}" for name, found in report.violations]
    dossier = (await stack.api.get(f"/invoices/{alone}/dossier")).json()
    acts = [(one["kind"], one["actor"]) for one in _trail(dossier)]
    assert acts == [("drafted", agent.name), ("proposed", agent.name), ("proposed", agent.name)]


def _trail(dossier: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        one for one in _dicts(dossier) if {"prev", "hash", "actor", "position"} <= one.keys()
    ]
    return found


def _dicts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(one for part in value.values() for one in _dicts(part))]
    return [one for part in value for one in _dicts(part)] if isinstance(value, list) else []
