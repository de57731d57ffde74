"""What an LLM agent does on a walk, past its transport: it drafts with its own token, and its wishes are updates.

A wish that was not heard is sent again under its name, as the agents' server does.
"""

import asyncio
import uuid
from typing import Any, Final

from billing.decisions import Action, Propose
from starter import asking
from starter.client import EngineUnreachable
from tests.agents.tokens import agent_token
from tests.paths.world import World
from tests.stack import milestone_body

AGENT: Final = "clerk"


async def drafts(world: World, **changes: Any) -> str:
    """Triggers a milestone for `acme` as the agent; the key."""
    await world.stack.customer()
    _, secret = await agent_token(world.stack, AGENT)
    key = world.key()
    world.keys.append(key)
    body = milestone_body(project_id=f"project-{world.run}", event_id=f"evt-{world.run}", **changes)
    answer = await world.stack.api.post("/triggers/milestone", json=body, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 202, answer.text
    return key


async def wishes(world: World, key: str, action: Action, **said: Any) -> None:
    """Until it is answered, whatever the answer."""
    wish = Propose(action=action, actor=AGENT, call_id=uuid.uuid4().hex, **said)
    async with asyncio.timeout(world.patience_s):
        while True:
            try:
                await asking.propose(world.stack.client, key, wish)
            except EngineUnreachable:
                continue
            return
