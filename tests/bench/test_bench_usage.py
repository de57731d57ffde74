"""The bench of usage measures what stands: its bulk-filled records are those that the door would have written."""

from argparse import Namespace

from sqlalchemy import func, select

from bench.usage import GROUPS, PERIOD, WORKS, filled
from records import usage
from records.session import Database
from records.sql import table
from records.usage_tables import UsageEventRow
from tests.postgres import postgres_server, postgres_url
from tests.records.conftest import database_url
from tests.records.metered import drift

__all__ = ["database_url", "postgres_server", "postgres_url"]

SIZE = Namespace(subscriptions=40, events=4_000)


async def test_its_sums_are_those_of_its_events_and_every_work_covers_all_of_them(database_url: str) -> None:
    await filled(database_url, SIZE)
    db = Database(database_url)
    async with db.session() as s:
        assert await drift(s) == []
        assert (await s.execute(select(func.count()).select_from(table(UsageEventRow)))).scalar_one() == 4_400
        october = await usage.used(s, ["all_10000000"], PERIOD)
    assert set(october["all_10000000"]) == {"api", "gb", "seats"}
    assert any(metered.late for metered in october["all_10000000"].values())
    for group, part in GROUPS.items():
        made = [await work(db, group) for work in WORKS.values()]
        assert made == [3 * 40 // part, 3 * 40 // part, 40 // part, 40 // part]
    await db.close()
