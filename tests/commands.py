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
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parent.parent
_PRELOADED: Final = ("starter", "audit", "connectors", "records")
_FDS: Final = 3
_LARGEST: Final = 1 << 20
# A command's arguments and environment, in bytes: more than the system itself lets through.
_PATIENCE_S: Final = 120.0
# The longest takes a few seconds on a machine to itself.
_STARTING: Final = threading.Lock()


def run(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    patience_s: float = _PATIENCE_S,
) -> subprocess.CompletedProcess[str]:
    """`billhook` with `arguments`, ended. `env` is the whole environment, else that of this process.

    Raises subprocess.TimeoutExpired with what was printed, once the command that did not end was killed.
    """
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
        line.settimeout(patience_s)
        line.connect(_parent())
        socket.send_fds(line, [json.dumps(order).encode()], [into.fileno(), out.fileno(), err.fileno()])
        code = _ended(line)
        for stream in (out, err):
            stream.seek(0)
        words, printed, said = ["billhook", *arguments], out.read().decode(), err.read().decode()
        if code is None:
            raise subprocess.TimeoutExpired(words, patience_s, printed, said)
        return subprocess.CompletedProcess(words, code, printed, said)


def _ended(line: socket.socket) -> int | None:
    """The command's exit code; None if it had to be killed."""
    command = int(line.recv(32))
    try:
        return int(line.recv(32))
    except TimeoutError:
        os.kill(command, signal.SIGKILL)
        line.recv(32)
        return None


async def answer(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str, str]:
    """`run` beside a loop that goes on: exit code, stdout, stderr."""
    done = await asyncio.to_thread(run, *arguments, env=env, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def _parent() -> str:
    """Where the process listens from which commands are forked; one, whichever threads ask at once."""
    with _STARTING:
        return _started()


@cache
def _started() -> str:
    """It ends with this process, and with it all that it forked."""
    folder = tempfile.TemporaryDirectory(prefix="billhook-commands-")
    address = f"{folder.name}/socket"
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "tests.commands", address],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    def end() -> None:
        with process, contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
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
            # The tests' end of it closed: they ended, in whatever way, and nobody waits for a command any more.
            os.killpg(0, signal.SIGKILL)
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
            with contextlib.suppress(OSError):
                line.send(str(child).encode())
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
