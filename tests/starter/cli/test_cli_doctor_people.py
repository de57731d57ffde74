"""`billhook doctor` warns of whom the policy names and who could not answer what is put to him."""

from datetime import timedelta
from pathlib import Path

import pytest

from records import tokens
from records.session import Database
from records.sql import now, table
from records.tables import Token
from records.tokens import Scope
from settings import Settings
from starter.cli.checks.finding import State
from starter.cli.checks.people import people
from tests.fresh import bring_up

CASES = '[cases]\nowner = "dana"\nescalate_to = "robin"\n'


async def prepared(folder: Path, policy: str, **held: list[Scope]) -> Settings:
    (folder / "policy.toml").write_text(policy)
    settings = Settings(database_url=f"sqlite:///{folder / 'records.db'}", policy_file=folder / "policy.toml")
    database = Database(settings.database)
    await bring_up(database)
    async with database.transaction() as session:
        for name, scopes in held.items():
            await tokens.create_token(session, name, scopes)
    await database.close()
    return settings


async def test_an_owner_of_change_requests_without_a_token_is_told_with_the_command_that_makes_one(
    tmp_path: Path,
) -> None:
    [found] = await people(await prepared(tmp_path, CASES, robin=[Scope.APPROVE]))
    assert (found.item, found.state) == ("cases.owner", State.WARNING)
    assert found.text.startswith("'dana' holds no live token")
    assert found.next_step.startswith("billhook token create dana --scope approve")


@pytest.mark.parametrize("how", ["reads", "revoked", "expired"])
async def test_a_token_that_does_not_answer_for_him_is_none(how: str, tmp_path: Path) -> None:
    scope = Scope.READ if how == "reads" else Scope.APPROVE
    settings = await prepared(tmp_path, '[cases]\nowner = "dana"\n', dana=[scope])
    database = Database(settings.database)
    async with database.transaction() as session:
        if how == "revoked":
            await tokens.revoke_token(session, "dana")
        if how == "expired":
            await session.execute(table(Token).update().values(expires_at=now() - timedelta(seconds=1)))
    await database.close()
    assert [one.item for one in await people(settings)] == ["cases.owner"]


async def test_everybody_else_whom_the_policy_names_is_looked_for_too(tmp_path: Path) -> None:
    policy = (
        '[approval]\nassignee = "dana"\n[[assign]]\nmotion = "quote"\nto = "o\'neil"\n'
        '[[approvers]]\nname = "dana"\n[[approvers]]\nname = "o\'neil"\n'
    )
    found = await people(await prepared(tmp_path, policy, dana=[Scope.APPROVE]))
    assert [one.item for one in found] == ["assign.0.to", "approvers.1.name"]
    assert "'o'\"'\"'neil'" in found[0].next_step, "a name is one word of the command"


async def test_where_each_holds_a_token_that_is_said_and_where_nobody_is_named_nothing_is(tmp_path: Path) -> None:
    settings = await prepared(tmp_path, CASES, dana=[Scope.APPROVE], robin=[Scope.ADMIN])
    [found] = await people(settings)
    assert (found.state, found.text) == (State.OK, "each of the 2 whom the policy names holds a live token")
    (tmp_path / "policy.toml").write_text("")
    assert await people(settings) == []
    (tmp_path / "policy.toml").write_text("[cases")
    assert await people(settings) == []
