"""The API while no connection to PostgreSQL is to be had: whoever asks is told when to come again."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from tests.postgres import postgres_server, postgres_url
from tests.starter.conftest import running_api, signed

__all__ = ["postgres_server", "postgres_url"]

WAIT_S = 2.0


async def test_a_pool_that_ran_dry_is_a_503_that_says_when_to_come_again(
    temporal_address: str, tmp_path: Path, postgres_url: str
) -> None:
    changes = {
        "database_url": postgres_url,
        "database_pool_size": 1,
        "database_pool_overflow": 0,
        "database_pool_wait_s": WAIT_S,
    }
    event = {"id": "evt_1", "type": "invoice.viewed", "created_at": datetime.now(UTC).isoformat()}
    body = json.dumps({**event, "data": {"invoice_id": "inv_1", "version": 1}}).encode()
    async with running_api(temporal_address, tmp_path, **changes) as api:
        async with api.database.session() as session:
            await session.execute(text("SELECT 1"))
            read, ready, hook = await asyncio.gather(
                api.http.get("/invoices"), api.http.get("/readyz"), api.deliver(body, signed(body))
            )
        assert (read.status_code, read.headers["Retry-After"]) == (503, "5")
        told = read.json()
        assert told["type"] == "urn:billhook:database-busy"
        assert told["detail"].startswith("all 1 connections of this process")
        assert "BILLHOOK_DATABASE_POOL_SIZE" in told["next_step"]
        assert ready.status_code == 503
        assert "connections of this process" in ready.json()["checks"]["database"]
        assert (hook.status_code, hook.headers["Retry-After"]) == (503, "5")
        assert hook.json()["type"] == "urn:billhook:not-stored"
        assert (await api.http.get("/invoices")).status_code == 200
        assert (await api.deliver(body, signed(body))).status_code == 202
