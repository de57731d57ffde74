"""Records at the newest schema in milliseconds: migrated once per process and copied for each test.

Migrating takes a tenth of a second of CPU, and most tests begin with new records. The migrations themselves are held
by tests/records/test_schema.py, which runs them.
"""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine

from records import migrate
from records.session import Database
from tests.postgres import become_migrated

_SQLITE: Final = "sqlite"


async def bring_up(database: Database) -> None:
    """As `database.upgrade()`, which it calls where something is there already."""
    url = database.engine.url
    if await become_migrated(url):
        return
    if url.get_backend_name() == _SQLITE and url.database and not Path(url.database).exists():  # noqa: ASYNC240
        Path(url.database).write_bytes(_migrated())  # noqa: ASYNC240 - once, before anything runs
    else:
        await database.upgrade()


@lru_cache(maxsize=1)
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.db"
        engine = create_engine(f"{_SQLITE}:///{file}")
        with engine.connect() as connection:
            # Connections that all find a file which is not in WAL mode yet lock each other out of setting it.
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            migrate.upgrade(connection)
            connection.commit()
        engine.dispose()
        return file.read_bytes()
