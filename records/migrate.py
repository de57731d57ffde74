"""Alembic, driven from code: no ini file, the scripts found beside this module wherever it is installed."""

from functools import lru_cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x62696C6C
# "bill": the advisory lock under which PostgreSQL lets one process migrate at a time


def config() -> Config:
    """What Alembic's own commands need to find the scripts."""
    found = Config()
    found.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return found


@lru_cache(maxsize=1)
def head() -> str:
    """The newest revision that this code carries. Raises RuntimeError if the scripts are missing."""
    newest = ScriptDirectory.from_config(config()).get_current_head()
    if newest is None:
        raise RuntimeError("records/migrations holds no revision")
    return newest


def upgrade(connection: Connection) -> None:
    """To the newest revision, inside the open transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = config()
    found.attributes["connection"] = connection
    command.upgrade(found, "head")


def current(connection: Connection) -> str | None:
    """The revision that the schema stands at."""
    return MigrationContext.configure(connection).get_current_revision()
