"""What people ask of an approval is read in the order in which it came, also where all of it is read at once."""

from pathlib import Path

from tests.stack import running_stack
from tests.workflows.running import working


async def test_a_delegation_that_came_before_an_approval_counts_where_no_worker_ran_meanwhile(
    temporal_address: str, tmp_path: Path
) -> None:
    async with running_stack(temporal_address, tmp_path, worker_options=None) as stack:
        await stack.customer()
        await stack.approvers("dana", "robin")
        key = await stack.milestone(amount="30000.00")
        async with working(stack):
            await stack.until(key, "awaiting_approval")
        handle = stack.client.get_workflow_handle(key)
        await handle.signal("delegate", {"actor": "dana", "to": "robin"})
        await handle.signal("approve", {"approver": "robin"})
        async with working(stack):
            view = await stack.until(key, "sent")
    assert [(one["action"], one["actor"]) for one in view["decisions"]] == [("delegate", "dana"), ("approve", "robin")]
    assert "refused" not in {entry["kind"] for entry in view["timeline"]}
