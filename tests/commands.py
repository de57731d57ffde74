"""`billhook` as a process of its own that does not import all of it anew: forked from one that has.

Imports are most of what a short command costs. The child has its own arguments, environment, directory and streams, and
runs `starter.cli` as the interpreter's main module, to the interpreter's own end. What a command loads by itself is
held by the tests that start `python -m starter.cli` afresh, test_cli_workers.py, test_deploy_processes.py and
test_help_loads_nothing_heavy among them.
"""

import asyncio
import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parent.parent
_PRELOADED: Final = ("starter", "audit", "connectors", "records")
_FDS: Final = 3
_LARGEST: Final = 1 << 20
# A command's arguments and environment, in bytes: more than the system itself lets through.


def run(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """`billhook` with `arguments`, ended. `env` is the whole environment, else that of this process."""
    order = {"arguments": arguments, "env": dict(os.environ if env is None else env), "cwd": str(cwd or Path.cwd())}
    with (
        tempfile.TemporaryFile() as into,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
    ):
        into.write(stdin.encode())
        into.seek(0)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        line.connect(_parent())
        socket.send_fds(line, [json.dumps(order).encode()], [into.fileno(), out.fileno(), err.fileno()])
        code = int(line.recv(32))
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess(["billhook", *arguments], code, out.read().decode(), err.read().decode())


async def answer(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str, str]:
    """`run` beside a loop that goes on: exit code, stdout, stderr."""
    done = await asyncio.to_thread(run, *arguments, env=env, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


@cache
def _parent() -> str:
    """Where the process listens from which commands are forked; it ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="billhook-commands-")
    address = f"{folder.name}/socket"
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "tests.commands", address], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    def end() -> None:
        process.kill()
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    return address


def _preload() -> None:
    for name in _PRELOADED:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith(("__main__", ".env")) and ".versions." not in module.name:
                importlib.import_module(module.name)
    importlib.import_module("worker")


def _orders(listener: socket.socket) -> list[str]:
    """The arguments of one command, in the process that is to run it; the one that listens never comes back."""
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            # The tests' end of it closed: they ended, in whatever way.
            os._exit(0)
        line, _ = listener.accept()
        if os.fork():
            line.close()
            continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        words, fds, _, _ = socket.recv_fds(line, _LARGEST, _FDS)
        if child := os.fork():
            for fd in fds:
                os.close(fd)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with contextlib.suppress(OSError):
                line.send(str(code).encode())
            os._exit(0)
        line.close()
        return _become(json.loads(words), fds)


def _become(order: dict[str, Any], fds: list[int]) -> list[str]:
    """This process's streams, directory and environment are those that were sent."""
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    arguments: list[str] = order["arguments"]
    return arguments


def _main(address: str) -> list[str]:
    _preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        return _orders(listener)


if __name__ == "__main__":
    sys.argv = ["billhook", *_main(sys.argv[1])]
    runpy.run_module("starter.cli", run_name="__main__", alter_sys=True)
