"""The HTTP API with every vendor's secret set and a motions file; Temporal is away, so that nothing moves by itself."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from records.tables import EventRow
from starter.dispatcher import Dispatcher
from tests.hubspot import TOKEN, FakeHubSpot, running_hubspot
from tests.starter.conftest import Api, running_api
from tests.starter.vendors.samples import MOTIONS, PUBLIC, SECRETS


def vendor_settings(folder: Path, motions: str = MOTIONS, **changes: Any) -> dict[str, Any]:
    """Settings for an API that takes every vendor's webhooks."""
    file = folder / "motions.toml"
    file.write_text(motions)
    given = {name: SecretStr(secret) for name, secret in SECRETS.items()}
    return {**given, "motions_file": file, "public_url": PUBLIC, "hubspot_token": SecretStr(TOKEN), **changes}


def running_vendors(address: str, folder: Path, **changes: Any) -> AbstractAsyncContextManager[Api]:
    return running_api(address, folder, **vendor_settings(folder, **changes))


@pytest.fixture
async def hubspot_api() -> AsyncIterator[FakeHubSpot]:
    async with running_hubspot() as fake:
        yield fake


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Api]:
    """Stores, and settles nothing."""
    async with running_vendors("127.0.0.1:1", tmp_path) as api:
        await api.parts.dispatcher.stop()
        yield api


@pytest.fixture
async def vendors(temporal_address: str, tmp_path: Path, hubspot_api: FakeHubSpot) -> AsyncIterator[Api]:
    """Settles what it stores, against a real Temporal."""
    async with running_vendors(temporal_address, tmp_path, hubspot_url=hubspot_api.url) as api:
        yield api


def impatient(api: Api, pauses: int = 2) -> Dispatcher:
    """A dispatcher whose attempts come at once, for a test that makes its passes itself."""
    return Dispatcher(
        api.database,
        api.parts.engine,
        api.parts.settings.task_queue,
        pauses=(timedelta(0),) * pauses,
        vendors=api.parts.vendors,
    )


async def stored(api: Api) -> list[EventRow]:
    from sqlalchemy import select  # noqa: PLC0415

    from records.sql import table  # noqa: PLC0415

    async with api.database.session() as session:
        rows = (await session.execute(select(table(EventRow)).order_by(table(EventRow).c.id))).mappings()
        return [EventRow(**row) for row in rows]
