"""A token's end and its last use: over is over at once, and one that nobody uses shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from records.sql import table
from records.tables import Token
from records.tokens import Scope, create_token, list_tokens
from starter.http.uses import EVERY_S, Uses
from tests.stack import assert_eventually
from tests.starter.conftest import Api

_T: Any = table(Token)


async def used_at(api: Api, name: str) -> datetime | None:
    async with api.database.session() as session:
        return next(one.last_used_at for one in await list_tokens(session) if one.name == name)


async def made(api: Api, name: str, **options: Any) -> dict[str, str]:
    async with api.database.transaction() as session:
        return {"Authorization": f"Bearer {await create_token(session, name, [Scope.READ], **options)}"}


async def test_a_token_that_was_used_says_when_and_one_that_was_not_says_nothing(api_without_temporal: Api) -> None:
    api, before = api_without_temporal, datetime.now(UTC)
    used, _ = await made(api, "used"), await made(api, "idle")
    assert (await api.http.get("/invoices", headers=used)).status_code == 200

    async def noted() -> bool:
        at = await used_at(api, "used")
        return at is not None and at >= before - timedelta(seconds=1)

    await assert_eventually(noted)
    assert await used_at(api, "idle") is None


async def test_a_token_whose_time_is_over_opens_nothing(api_without_temporal: Api) -> None:
    api = api_without_temporal
    headers = await made(api, "guest", expires_at=datetime.now(UTC) + timedelta(days=90))
    assert (await api.http.get("/invoices", headers=headers)).status_code == 200
    over = datetime.now(UTC) - timedelta(seconds=1)
    async with api.database.transaction() as session:
        await session.execute(update(_T).where(_T.c.name == "guest").values(expires_at=over))
    answer = await api.http.get("/invoices", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_token_in_steady_use_is_written_once_a_minute(api_without_temporal: Api) -> None:
    now, written = 100.0, 0
    uses = Uses(api_without_temporal.database, lambda: now)
    for _ in range(3):
        for _ in range(20):
            uses.note("sha")
        written += len(uses._writing)  # noqa: SLF001 - what it costs is what is promised
        await uses.close()
        now += EVERY_S
    assert written == 3
