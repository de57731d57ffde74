"""Tokens with an end, and an agent's with its bounds: on both databases, and over a migration back."""

from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import Connection, update

from billing.agents import Grant
from billing.errors import BadInput
from records import migrate, tokens
from records.session import Database
from records.sql import now, table
from records.tables import Token


def down_and_up(connection: Connection) -> None:
    found = migrate.config()
    found.attributes["connection"] = connection
    command.downgrade(found, "0012")
    command.upgrade(found, "head")


async def test_a_token_that_expired_opens_nothing_and_approves_nothing(db: Database) -> None:
    async with db.transaction() as s:
        end = now() + timedelta(days=1)
        secret = await tokens.create_token(s, "mia", [tokens.Scope.APPROVE], expires_at=end)
        assert await tokens.find_token(s, secret)
        assert await tokens.live_approvers(s) == ["mia"]
        rows = table(Token)
        await s.execute(update(rows).where(rows.c.name == "mia").values(expires_at=now() - timedelta(seconds=1)))
        assert await tokens.find_token(s, secret) is None
        assert await tokens.find_named(s, "mia") is None
        assert await tokens.live_approvers(s) == []
        with pytest.raises(BadInput, match="over already"):
            await tokens.create_token(s, "noa", [tokens.Scope.READ], expires_at=now() - timedelta(seconds=1))


async def test_an_agent_s_token_keeps_its_bounds_and_none_is_made_without_them(db: Database) -> None:
    grant = Grant(name="bot", limits={"USD": 500_000, "JPY": 4000}, customers=("acme", "other"))
    end = now() + timedelta(days=30)
    agent = tokens.Scope.AGENT
    async with db.transaction() as s:
        secret = await tokens.create_token(s, "bot", [agent], grant=grant, expires_at=end)
        found = await tokens.find_token(s, secret)
        assert found is not None
        assert tokens.grant_of(found) == grant
        for scopes, bounds, until, field in (
            ([agent, tokens.Scope.APPROVE], grant, end, "scope"),
            ([agent], None, end, "customer"),
            ([agent], Grant(name="x", limits={"USD": 1}), end, "customer"),
            ([agent], grant, None, "expires"),
            ([tokens.Scope.READ], grant, end, "scope"),
        ):
            with pytest.raises(BadInput) as refused:
                await tokens.create_token(s, "x", scopes, grant=bounds, expires_at=until)
            assert refused.value.field == field


async def test_where_bounds_cannot_be_kept_any_more_bound_tokens_are_revoked(db: Database) -> None:
    grant = Grant(name="bot", customers=("acme",))
    async with db.transaction() as s:
        bound = await tokens.create_token(s, "bot", [tokens.Scope.AGENT], grant=grant, expires_at=now() + timedelta(1))
        free = await tokens.create_token(s, "mia", [tokens.Scope.APPROVE])
    async with db.engine.begin() as connection:
        await connection.run_sync(down_and_up)
    async with db.session() as s:
        assert await tokens.find_token(s, bound) is None
        assert await tokens.find_token(s, free)
