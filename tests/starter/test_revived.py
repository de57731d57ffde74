"""A worker that dies with our records written leaves a workflow that has yet to read what they say already."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from records.tokens import Scope
from starter import deciding
from tests.agents.office import over_http
from tests.agents.tokens import agent_token
from tests.drills.dying import Death, Orders, Point, kept_alive
from tests.stack import Stack, assert_eventually, running_stack

PATIENCE_S = 60.0
SAVES = "save_record"
_TAKE = {"action": "take"}


async def test_what_our_records_call_open_is_refused_to_nobody_while_a_worker_comes_back(
    temporal_address: str, tmp_path: Path
) -> None:
    async with running_stack(temporal_address, tmp_path, worker_options=None) as stack:
        await stack.customer()
        await stack.approvers("dana", "robin")
        orders = Orders(stack.settings, temporal_address, tmp_path)
        async with kept_alive(orders) as watch:
            key, case_id = await _dies_with_a_case_on_record(stack, orders)
            await asyncio.gather(*(asks(stack, key, case_id) for asks in (_by_http, _by_signal, _by_agent)))
            assert watch.exits == [-signal.SIGKILL]
            view = await assert_eventually(lambda: _with_decisions(stack, key, 2), PATIENCE_S)
    assert {one["actor"] for one in view["decisions"]} == {"dana", "robin"}
    kinds = {entry["kind"] for entry in view["timeline"]}
    assert "proposed" in kinds
    assert "refused" not in kinds


async def _dies_with_a_case_on_record(stack: Stack, orders: Orders) -> tuple[str, str]:
    """The worker does; the workflow has yet to read again what our records say already."""
    key = await stack.milestone()
    await stack.until(key, "sent")
    saved = max((passed.nth for passed in orders.passed() if passed.activity == SAVES), default=0)
    orders.arm(Death(SAVES, saved + 1, Point.DONE))
    await stack.recipient(key, "change-request", message="less, please")
    view = await stack.until(key, "change_requested")
    assert orders.armed() is None, "the worker lives, so nothing was lost"
    return key, str(view["cases"][0]["id"])


async def _by_http(stack: Stack, key: str, case_id: str) -> None:
    headers = await stack.token("dana", Scope.APPROVE, Scope.READ)
    answer = await stack.api.post(f"/invoices/{key}/change-requests/{case_id}/decision", json=_TAKE, headers=headers)
    assert answer.is_success, answer.text


async def _by_signal(stack: Stack, key: str, case_id: str) -> None:
    wish = {"actor": "robin", "case_id": case_id}
    await stack.client.get_workflow_handle(key).signal("take_change_request", wish)


async def _by_agent(stack: Stack, key: str, case_id: str) -> None:
    async with over_http(stack, *await agent_token(stack)) as agent:
        await agent.does("propose_case_answer", key=key, case_id=case_id, answer="decline", note="as ordered")


async def _with_decisions(stack: Stack, key: str, count: int) -> dict[str, Any] | None:
    view = await stack.invoice(key)
    return view if len(view["decisions"]) == count else None


@pytest.mark.parametrize(("call", "body"), [("retry", {"reason": "why"}), ("change-requests/cr_9/decision", _TAKE)])
async def test_what_our_records_do_not_call_open_is_refused_at_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, call: str, body: dict[str, str]
) -> None:
    monkeypatch.setattr(deciding, "CATCHING_UP_S", (PATIENCE_S,))
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    answer = await stack.api.post(f"/invoices/{key}/{call}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:billhook:not-possible")
