"""`billhook db upgrade`: bring the database to this version's tables."""

from typing import TYPE_CHECKING, Final

import typer

from starter.cli.output import data
from starter.cli.records import with_database

if TYPE_CHECKING:
    from records.session import Database

app: Final = typer.Typer(help="Our own database.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `upgrade` a command of its own while it is the only one."""


@app.command()
def upgrade() -> None:
    """Apply the migrations that are missing."""
    from settings import load_settings, make_folder  # noqa: PLC0415 - commands load what they need when they run

    make_folder(load_settings().data_dir)

    async def work(database: "Database") -> str:
        await database.upgrade()
        return str(await database.current())

    data(f"database at {with_database(work, make=True)}")
