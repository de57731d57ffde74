"""What a person asked by an update is in Temporal's history before our records hold anything of it: should the server
be lost in between, no record speaks of a decision that nobody remembers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from records.tokens import Scope
from tests.stack import Stack, running_stack

PEOPLE = frozenset({"admin", "dana", "robin"})
ACCEPTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED


class Heard(Interceptor):
    """Compares, before each record is written, what people are said to have done with the updates in the history."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.told: set[str] = set()
        self.early: list[str] = []

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Comparing(next, self)


class _Comparing(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, heard: Heard) -> None:
        super().__init__(following)
        self._heard = heard

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        record = getattr(input.args[0], "record", None)
        trail = record.trail if record else ()
        people = {f"{link.position}: {link.kind} by {link.actor}" for link in trail if link.actor in PEOPLE}
        if people and self._heard.client:
            info = activity.info()
            history = await self._heard.client.get_workflow_handle(info.workflow_id or "").fetch_history()
            accepted = sum(event.event_type == ACCEPTED for event in history.events)
            self._heard.told |= people
            if accepted < len(self._heard.told):
                self._heard.early.append(f"{info.activity_type} told {people} with {accepted} updates in the history")
        return await super().execute_activity(input)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def desk(temporal_address: str, tmp_path: Path, heard: Heard) -> AsyncIterator[Stack]:
    file = tmp_path / "policy.toml"
    file.write_text('[thresholds]\ndefault = "25000.00"\n')
    async with running_stack(temporal_address, tmp_path, policy_file=file, interceptors=[heard]) as stack:
        heard.client = stack.client
        await stack.customer()
        await stack.approvers("dana", "robin")
        yield stack


async def test_our_records_hold_nothing_of_an_update_that_the_history_does_not(desk: Stack, heard: Heard) -> None:
    key = await desk.milestone(amount="25000.01")

    async def asks(who: str, call: str, **body: Any) -> list[str]:
        """What our records hold of people once he is answered."""
        headers = await desk.token(who, Scope.APPROVE, Scope.READ)
        answer = await desk.api.post(f"/invoices/{key}/{call}", json=body, headers=headers)
        view = await desk.invoice(key)
        assert answer.is_success, answer.text
        return [one["action"] for one in view["decisions"]]

    view = await desk.until(key, "awaiting_approval")
    assert await asks("dana", "delegate", to="robin") == ["delegate"]
    patch = {"line_items": [{"description": "Design", "unit_price": "25000.02"}]}
    await asks("dana", "decision", action="approve", revision=view["revision"], patch=patch)
    await desk.until(key, "sent")
    case = f"change-requests/{(await _case(desk, key))['id']}/decision"
    await asks("robin", case, action="take")
    declined = await asks("robin", case, action="decline", note="as ordered")
    assert declined == ["delegate", "approve", "take_change_request", "decline_change_request"]
    assert await asks("dana", "cancel", reason="wrong project") == [*declined, "cancel"]
    await desk.until(key, "cancelled")
    assert len(heard.told) == len(declined) + 1
    assert heard.early == []


async def _case(stack: Stack, key: str) -> dict[str, Any]:
    await stack.recipient(key, "change-request", message="less, please")
    found: dict[str, Any] = (await stack.until(key, "change_requested"))["cases"][0]
    return found
