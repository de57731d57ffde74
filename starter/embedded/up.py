"""`billhook up`: one stack on one data directory, from the first start to the last signal."""

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from settings import Settings, load_settings, make_folder, no_folder, secret_in
from starter.embedded import credentials
from starter.embedded.errors import DirectoryInUse
from starter.embedded.ports import Ports
from starter.embedded.stack import Outside, Stack
from starter.embedded.supervisor import Say, Supervisor
from starter.embedded.tokens import prepare_records


@contextmanager
def sole_owner(data_dir: Path) -> Iterator[None]:
    """Hold the data directory; the kernel lets go of it with the process.

    Raises DirectoryInUse, or BadInput where the directory cannot be used.
    """
    make_folder(data_dir)
    try:
        opened = (data_dir / "up.lock").open("w")
    except OSError as error:
        raise no_folder(data_dir, error) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DirectoryInUse(str(data_dir)) from error
        yield


@asynccontextmanager
async def running(data_dir: Path, ports: Ports, say: Say) -> AsyncIterator[tuple[Stack, Supervisor]]:
    """The stack, started part by part and stopped at the end of the block.

    Raises PortTaken, DirectoryInUse, PartFailed, StackError, or BadInput naming a setting.
    """
    data_dir = data_dir.absolute()  # noqa: ASYNC240 - before anything runs
    with sole_owner(data_dir):
        outside = Outside.of(os.environ)
        queue = os.environ.get("BILLHOOK_TASK_QUEUE") or "billhook"
        stack = Stack(data_dir, ports, outside, _secrets(data_dir, outside), queue, rules(load_settings()))
        ports.check(stack.needed_ports)
        async with Supervisor(data_dir / "logs", say) as supervisor:
            try:
                stack = await _with_token(stack)
                for part in stack.parts():
                    say(f"starting {part.name}")
                    await supervisor.start(part)
                yield stack, supervisor
            finally:
                say("stopping")


def rules(settings: Settings) -> dict[str, str]:
    """The files of motions and policy, wherever a command that asks for them is typed."""
    files = {credentials.MOTIONS_FILE: settings.motions_file, credentials.POLICY_FILE: settings.policy_file}
    return {name: str(file.absolute()) for name, file in files.items() if file}


def _secrets(data_dir: Path, outside: Outside) -> dict[str, str]:
    made = {**credentials.ensure(data_dir), **_from_files()}
    # A real API has a key and a webhook secret of its own; those of the environment win there.
    names = (credentials.API_KEY, credentials.WEBHOOK_SECRETS) if outside.jupiter else ()
    return {**made, **{name: os.environ[name] for name in names if os.environ.get(name)}}


def _from_files() -> dict[str, str]:
    """What the environment hands over as files; the parts are told it like what the stack makes up for itself.

    Raises BadInput naming the setting.
    """
    names = (credentials.API_KEY, credentials.WEBHOOK_SECRETS, credentials.SESSION_SECRET)
    files = {name: os.environ.get(f"{name}_FILE") for name in names}
    return {name: secret_in(f"{name}_FILE", Path(file)) for name, file in files.items() if file}


async def _with_token(stack: Stack) -> Stack:
    token = await prepare_records(stack)
    kept = {credentials.TOKEN: token, credentials.API_URL: stack.api_url}
    credentials.write(stack.data_dir, {**credentials.read(stack.data_dir), **kept})
    credentials.write(stack.data_dir, stack.surroundings, credentials.ADDRESSES)
    return replace(stack, secrets={**stack.secrets, **kept})


async def up(data_dir: Path, ports: Ports, say: Say, ready: Callable[[Stack], None]) -> None:
    """Run the stack until cancelled; `ready` hears once that everything is well."""
    async with running(data_dir, ports, say) as (stack, supervisor):
        ready(stack)
        await supervisor.forever()


def run_until_signal(work: Coroutine[Any, Any, int]) -> int:
    """The result of `work`; SIGINT, SIGTERM and SIGHUP cancel it once, so that it can stop its children. 0 then."""

    async def main() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, _cancel_once(task))
        try:
            return await task
        except asyncio.CancelledError:
            return 0

    return asyncio.run(main())


def _cancel_once(task: asyncio.Future[int]) -> Callable[[], None]:
    asked: list[bool] = []

    def cancel() -> None:
        # Stopping is bounded already; a second signal must not cut it short and leave work behind.
        if not asked:
            asked.append(True)
            task.cancel()

    return cancel
