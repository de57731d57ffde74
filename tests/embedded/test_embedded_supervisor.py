"""The supervisor with small real processes: order, restart, failure, and what a kill -9 leaves behind."""

import asyncio
import fcntl
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from starter.embedded.errors import PartFailed
from starter.embedded.part import Part
from starter.embedded.ports import HOST, Ports
from starter.embedded.supervisor import Supervisor

SLEEPER = """
import pathlib, signal, sys, time

def stop(*_):
    with open(sys.argv[1], "a") as journal:
        print("stopped", sys.argv[2], file=journal)
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1] + "." + sys.argv[2]).touch()
while True:
    time.sleep(60)
"""


HOLDER = """
import fcntl, pathlib, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
pathlib.Path(sys.argv[1] + ".ready").touch()
time.sleep(600)
"""


def sleeper(tmp_path: Path, name: str) -> Part:
    journal = tmp_path / "journal"
    ready = Path(f"{journal}.{name}")

    async def probe() -> str:
        return "" if await asyncio.to_thread(ready.exists) else "not yet"

    return Part(name, (sys.executable, "-c", SLEEPER, str(journal), name), probe)


async def test_parts_stop_in_reverse_order(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs", lambda _: None) as supervisor:
        for name in ("first", "second", "third"):
            await supervisor.start(sleeper(tmp_path, name))
    assert (tmp_path / "journal").read_text().split("\n")[:3] == ["stopped third", "stopped second", "stopped first"]


async def test_a_part_that_dies_is_started_again_and_said_so(tmp_path: Path) -> None:
    said: list[str] = []
    back = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        if text == "only is back":
            back.set()

    async with Supervisor(tmp_path / "logs", say, first_pause_s=0.01) as supervisor:
        await supervisor.start(sleeper(tmp_path, "only"))
        first = supervisor.pid_of("only")
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            await back.wait()
        assert supervisor.pid_of("only") != first
    assert said[0].startswith("only ended with code -9; starting it again")


async def test_a_part_that_cannot_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    async def probe() -> str:
        return "no answer"

    part = Part("broken", (sys.executable, "-c", "import sys; sys.exit('the disk is full')"), probe)
    with pytest.raises(PartFailed, match="broken did not start: it ended with code 1\nthe disk is full"):
        async with Supervisor(tmp_path / "logs", lambda _: None) as supervisor:
            await supervisor.start(part)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own help is Linux only")
async def test_no_part_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from starter.embedded.part import Part\nfrom starter.embedded.supervisor import Supervisor\n"
        "async def well(): return '' if Path(sys.argv[3] + '.ready').exists() else 'not yet'\n"
        "async def main():\n"
        "    async with Supervisor(Path(sys.argv[1]), print) as s:\n"
        "        await s.start(Part('child', (sys.executable, '-c', sys.argv[2], sys.argv[3]), well))\n"
        "        print('well', flush=True)\n"
        "        await s.forever()\n"
        "asyncio.run(main())"
    )
    held = tmp_path / "held"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "logs"), HOLDER, str(held), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"well\n"
    process.kill()
    await process.wait()
    # The kernel lets go of the child's lock when the child is gone.
    with held.open() as lock:
        async with asyncio.timeout(10):
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)


def test_a_free_port_is_really_free() -> None:
    ports = Ports.free()
    for number in (ports.api, ports.sandbox, ports.temporal, ports.ui, ports.smtp):
        with socket.socket() as one:
            one.bind((HOST, number))
