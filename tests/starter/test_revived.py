"""A worker that dies with our records written leaves a workflow that has yet to read what they say already."""

import signal
from pathlib import Path
from typing import Any

import pytest

from records.tokens import Scope
from starter import deciding
from tests.drills.dying import Death, Orders, Point, kept_alive
from tests.stack import Stack, running_stack

PATIENCE_S = 60.0
SAVES = "save_record"


async def _dies_once_the_case_is_on_record(stack: Stack, orders: Orders) -> tuple[str, dict[str, Any]]:
    key = await stack.milestone()
    await stack.until(key, "sent")
    saved = max((passed.nth for passed in orders.passed() if passed.activity == SAVES), default=0)
    orders.arm(Death(SAVES, saved + 1, Point.DONE))
    await stack.recipient(key, "change-request", message="less, please")
    view = await stack.until(key, "change_requested")
    assert orders.armed() is None, "the worker lives, so nothing was lost"
    return key, view["cases"][0]


async def test_what_our_records_call_open_is_not_refused_while_a_worker_comes_back(
    temporal_address: str, tmp_path: Path
) -> None:
    async with running_stack(temporal_address, tmp_path, worker_options=None) as stack:
        await stack.customer()
        dana = await stack.token("dana", Scope.APPROVE, Scope.READ)
        orders = Orders(stack.settings, temporal_address, tmp_path)
        async with kept_alive(orders) as watch:
            key, case = await _dies_once_the_case_is_on_record(stack, orders)
            path, body = f"/invoices/{key}/change-requests/{case['id']}/decision", {"action": "take"}
            answer = await stack.api.post(path, json=body, headers=dana)
            assert answer.is_success, answer.text
            assert watch.exits == [-signal.SIGKILL]
            view = await stack.until(key, "change_requested")
        assert view["cases"][0]["owner"] == "dana"
        assert [one["action"] for one in view["decisions"]] == ["take_change_request"]
        assert "refused" not in {entry["kind"] for entry in view["timeline"]}


async def test_what_our_records_do_not_call_open_is_refused_at_once(
    temporal_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "CATCHING_UP_S", (PATIENCE_S,))
    async with running_stack(temporal_address, tmp_path) as stack:
        await stack.customer()
        key = await stack.milestone()
        await stack.until(key, "sent")
        body = {"reason": "why"}
        answer = await stack.api.post(f"/invoices/{key}/retry", json=body)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:billhook:not-possible")
