"""A live agent's token, for tests with the protocol around it and for walks without."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from billing.agents import Grant
from records.tokens import Scope, create_token
from tests.stack import Stack

LIMIT: Final = 500_000
# 5,000.00 USD


async def agent_token(
    stack: Stack,
    name: str = "",
    *,
    customers: tuple[str, ...] = ("acme",),
    expires_at: datetime | None = None,
    limits: dict[str, int] | None = None,
) -> tuple[str, str]:
    """A live agent's name and secret; `limits` in minor units."""
    name = name or f"agent-{uuid4().hex[:6]}"
    grant = Grant(name=name, limits=limits or {"USD": LIMIT}, customers=customers)
    end = expires_at or datetime.now(UTC) + timedelta(days=30)
    async with stack.database.transaction() as session:
        return name, await create_token(session, name, [Scope.AGENT], grant=grant, expires_at=end)
