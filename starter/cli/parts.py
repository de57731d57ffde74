"""`billhook up|demo|worker|api|sandbox`: start the whole stack, or one part of it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.queues import Queue
from starter.cli.exits import Exit, Stop
from starter.cli.output import data, say
from starter.embedded.ports import HOST, Ports

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.runtime import Runtime

    from settings import Settings
    from starter.embedded.errors import StackError
    from starter.embedded.stack import Stack

Port = Annotated[int, typer.Option(min=1, max=65535)]
DataDir = Annotated[Path, typer.Option(envvar="BILLHOOK_DATA_DIR", help="Everything the stack keeps is in here.")]


def up(  # noqa: PLR0917 - Typer passes options by name
    data_dir: DataDir = Path(".billhook"),
    api_port: Port = Ports.api,
    sandbox_port: Port = Ports.sandbox,
    temporal_port: Port = Ports.temporal,
    ui_port: Port = Ports.ui,
    smtp_port: Port = Ports.smtp,
) -> None:
    """Run Temporal, the sandbox, a mail sink, the worker and the HTTP API; Ctrl-C stops all of it.

    TEMPORAL_ADDRESS, BILLHOOK_JUPITER_URL and BILLHOOK_SMTP_URL name a server that is used instead of the stack's own.
    """
    from starter.embedded.errors import StackError  # noqa: PLC0415 - commands load what they need when they run
    from starter.embedded.up import run_until_signal, up  # noqa: PLC0415

    async def work() -> int:
        ports = Ports(api=api_port, sandbox=sandbox_port, temporal=temporal_port, ui=ui_port, smtp=smtp_port)
        await up(data_dir, ports, say, _ready)
        return 0

    try:
        sys.exit(run_until_signal(work()))
    except StackError as error:
        raise _stopped(error) from error


def _ready(stack: "Stack") -> None:
    for line in stack.addresses():
        data(line)
    sys.stdout.flush()
    say("ready; Ctrl-C stops everything")


def _stopped(error: "StackError") -> Stop:
    from starter.embedded.errors import DirectoryInUse, PortTaken  # noqa: PLC0415

    code = Exit.TAKEN if isinstance(error, DirectoryInUse | PortTaken) else Exit.REFUSED
    return Stop(code, f"cause: {error.detail}", f"next:  {error.next_step}" if error.next_step else "")


def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="Stop at the end instead of staying up.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Default: a fresh temporary directory, removed at the end.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Do not remove the temporary directory at the end.")] = False,
) -> None:
    """Run the stack on free ports and bill a month of examples on it, with recipients and an approver played."""
    from starter.embedded.demo.run import demo  # noqa: PLC0415
    from starter.embedded.errors import StackError  # noqa: PLC0415
    from starter.embedded.up import run_until_signal  # noqa: PLC0415

    try:
        sound = run_until_signal(demo(data_dir, stay=not exit_, keep=keep, say=say))
    except StackError as error:
        raise _stopped(error) from error
    if sound:
        raise Stop(Exit.NOT_IN_ORDER, "the demo found a disagreement; see above")


def worker(
    queue: Annotated[
        list[Queue] | None, typer.Option(help="Work on this queue alone; give it again for more. Default: all.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="So many processes, about one per processor; what dies is started again.")
    ] = 1,
    health_file: Annotated[
        Path | None, typer.Option(help="Is touched every five seconds while it works, for a health check.")
    ] = None,
) -> None:
    """Run a worker until it is stopped. Between them, all workers must work on every queue."""
    if processes > 1:
        _fleet(processes, queue or [], health_file)
    else:
        _one_worker(queue or [], health_file)


def _fleet(processes: int, queues: list[Queue], health_file: Path | None) -> None:
    from settings import load_settings  # noqa: PLC0415
    from starter.embedded.errors import StackError  # noqa: PLC0415
    from starter.embedded.fleet import run_fleet  # noqa: PLC0415
    from starter.embedded.up import run_until_signal  # noqa: PLC0415

    # What cannot be used is told once.
    load_settings()

    async def work() -> int:
        options = [word for one in queues for word in ("--queue", one.value)]
        await run_fleet(processes, options, health_file, say)
        return 0

    try:
        sys.exit(run_until_signal(work()))
    except StackError as error:
        raise _stopped(error) from error


def _one_worker(queues: list[Queue], health_file: Path | None) -> None:
    import asyncio  # noqa: PLC0415

    from settings import load_settings  # noqa: PLC0415
    from starter import logs  # noqa: PLC0415
    from starter.client import EngineUnreachable, connect  # noqa: PLC0415
    from worker import run_worker  # noqa: PLC0415

    async def run() -> None:
        settings = load_settings()
        logs.configure(settings.log_format, settings)
        client = await connect(settings, _shown(settings))
        await _keep_schedules(client, settings)
        await run_worker(settings, client, queues or tuple(Queue), health_file)

    try:
        asyncio.run(run())
    except EngineUnreachable as error:
        raise Stop(Exit.UNREACHABLE, f"cause: {error.detail}", f"next:  {error.next_step}") from error


def _shown(settings: "Settings") -> "Runtime | None":
    """Start showing what the settings say this worker shows; for its client the runtime that does, if any."""
    from telemetry import metrics  # noqa: PLC0415

    if settings.worker_metrics:
        say(f"metrics at http://{metrics.serve(settings.worker_metrics)}/metrics")
    if not settings.temporal_metrics:
        return None
    runtime, where = metrics.temporal_runtime(settings.temporal_metrics)
    say(f"Temporal's metrics at http://{where}/metrics")
    return runtime


async def _keep_schedules(client: "Client", settings: "Settings") -> None:
    """Wherever a worker runs, the schedules exist. One who may not make them still works."""
    from temporalio.service import RPCError  # noqa: PLC0415

    from billing.errors import BadInput  # noqa: PLC0415
    from starter import schedules  # noqa: PLC0415

    try:
        for line in await schedules.apply(client, settings):
            say(line)
    except BadInput as error:
        say(f"the schedules could not be applied: {error.detail}; mend it, then run `billhook schedule apply`")
    except RPCError as error:
        say(f"the schedules could not be applied: {error.message}; run `billhook schedule apply`")


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Port = Ports.api,
) -> None:
    """Run the HTTP API until it is stopped."""
    from settings import load_settings  # noqa: PLC0415
    from starter.http.server import serve  # noqa: PLC0415

    try:
        serve(load_settings(), host, port)
    except OSError as error:
        raise Stop(
            Exit.TAKEN, f"cause: port {port} cannot be used: {error.strerror}", "next:  choose another --port"
        ) from error


def sandbox(
    data_dir: DataDir = Path(".billhook"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Port = Ports.sandbox,
    public_url: Annotated[str | None, typer.Option(help="What share links begin with.")] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where events go; default: the API at BILLHOOK_PUBLIC_URL.")
    ] = None,
) -> None:
    """Run the JupiterInvoice stand-in alone. The key comes from BILLHOOK_JUPITER_API_KEY or credentials.env."""
    from sandbox.config import SandboxConfig  # noqa: PLC0415 - the composition of a stand-alone sandbox
    from sandbox.server import serve  # noqa: PLC0415
    from starter.embedded import credentials  # noqa: PLC0415

    known = {**credentials.ensure(data_dir), **{k: v for k, v in os.environ.items() if v}}
    ours = known.get("BILLHOOK_PUBLIC_URL") or f"http://{HOST}:{Ports.api}"
    config = SandboxConfig(
        database=data_dir / "sandbox.db",
        api_key=known[credentials.API_KEY],
        public_url=public_url or f"http://{HOST}:{port}",
        webhook_url=webhook_url or f"{ours}/webhooks/jupiter",
        webhook_secret=known[credentials.WEBHOOK_SECRETS].split(",")[0],
    )
    try:
        serve(config, host, port)
    except OSError as error:
        raise Stop(
            Exit.TAKEN, f"cause: port {port} cannot be used: {error.strerror}", "next:  choose another --port"
        ) from error
