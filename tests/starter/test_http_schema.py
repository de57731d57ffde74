"""What OpenAPI says of the API is what the API does: every call is played with what the description allows and with
what it forbids, and no answer is a fault of ours, of a kind that is not described, or of another form.

Drawn without chance, so that a run repeats. `make fuzz` plays some twenty times as much, and every boundary by itself.
"""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis import Case
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from records import tokens
from records.session import Database
from records.sql import now
from settings import Settings
from starter.http.app import create_app
from tests.console.seeding import seed
from tests.fresh import bring_up

DEEP: Final = int(os.environ.get("BILLHOOK_FUZZ", "0"))
EXAMPLES: Final = DEEP or 5
CONFIG: Final = schemathesis.Config.from_dict(
    {
        # Who may not call is asked for by a check of its own; a token that is taken away by chance is given back below.
        "generation": {"deterministic": True, "database": "none", "with-security-parameters": False},
        "phases": {
            "examples": {"enabled": False},
            "coverage": {"enabled": bool(DEEP)},
            "stateful": {"enabled": False},
        },
        "checks": {
            # Well formed, and still nothing that we can do: a customer who is not there, a cursor of another list.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "404", "409", "422"]},
            # What is wrong by its size is refused before it is read.
            "negative_data_rejection": {
                "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429"]
            },
        },
        "operations": [
            # One event that cannot be read stops none of the others: each of a batch has an answer of its own.
            {
                "include-path": "/usage/events",
                "checks": {"negative_data_rejection": {"expected-statuses": ["207", "400", "401", "404", "422"]}},
            },
        ],
    }
)


class Played:
    """The API that a test process plays against; the description is read before there is one."""

    api: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.api(scope, receive, send)


def nowhere() -> Any:
    raise AssertionError("only the description is read")


schema = schemathesis.openapi.from_dict(
    create_app(Settings(), Database("sqlite+aiosqlite:///never-opened.db"), nowhere).openapi(), config=CONFIG
)
schema.app = Played()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """Records of two months, and a token that may everything."""
    folder: Path = tmp_path_factory.mktemp("api")
    given: dict[str, Any] = dict.fromkeys(("token_rate", "address_rate", "webhook_rate"), 0)
    given |= {f"{name}_secret": SecretStr("s3cret") for name in ("github", "linear", "jira", "hubspot", "stripe")}
    found = Settings(data_dir=folder, database_url=f"sqlite:///{folder / 'api.db'}", **given)

    async def prepare() -> str:
        database = Database(found.database)
        await bring_up(database)
        await seed(database, now(), days=10)
        async with database.transaction() as session:
            token = await tokens.create_token(session, "player", [tokens.Scope.ADMIN])
        await database.close()
        return token

    return found, asyncio.run(prepare())


@pytest.fixture(scope="module", autouse=True)
def playing(prepared: tuple[Settings, str], temporal_address: str) -> None:
    """The real API, which the description is played against in this process; it ends with it."""

    async def connect() -> Client:
        return await Client.connect(temporal_address, data_converter=pydantic_data_converter)

    schema.app.api = create_app(prepared[0], Database(prepared[0].database), connect)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
def test_the_api_does_what_its_description_says(case: Case[Any], prepared: tuple[Settings, str]) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {prepared[1]}"})
