"""All commands under one name, and the one place where a refusal becomes an exit code."""

import sys
from contextlib import nullcontext
from importlib.metadata import version
from typing import Annotated, Final, NoReturn

import typer

from billing.errors import BadInput, BillhookError
from starter.cli import (
    api,
    audit,
    cases,
    codec,
    customers,
    db,
    doctor,
    dossiers,
    events,
    invoices,
    mcp,
    parts,
    policy,
    queues,
    reconcile,
    run,
    schedule,
    subscriptions,
    tokens,
    trigger,
    usage,
)
from starter.cli.arguments import hold_to_utf_8
from starter.cli.exits import Exit, Stop, leave
from starter.cli.output import data, say
from starter.cli.wording import for_terminal
from telemetry import tracing

_SERVICES: Final = {name: f"billhook-{name}" for name in ("api", "worker", "up", "demo", "sandbox", "mcp")}
# These run until they are stopped, each as a service; every other command is one span of the caller's.

app: Final = typer.Typer(
    name="billhook",
    help="From a billing trigger to an approved, billed invoice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        data(f"billhook {version('billhook')}")
        raise typer.Exit


@app.callback()
def _of_all(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


app.command()(parts.up)
app.command()(parts.demo)
app.command()(parts.worker)
app.command()(parts.api)
app.command()(parts.sandbox)
app.command()(mcp.mcp)
app.add_typer(customers.app, name="customer")
app.add_typer(subscriptions.app, name="subscription")
app.command()(trigger.trigger)
invoices.app.command()(dossiers.dossier)
invoices.app.command()(dossiers.verify)
app.add_typer(invoices.app, name="invoice")
app.add_typer(queues.approvals, name="approvals")
app.add_typer(cases.app, name="cases")
app.add_typer(events.app, name="events")
app.command()(reconcile.reconcile)
app.add_typer(usage.app, name="usage")
app.add_typer(run.app, name="run")
app.add_typer(schedule.app, name="schedule")
app.command()(policy.fields)
app.add_typer(policy.app, name="policy")
app.add_typer(tokens.app, name="token")
app.add_typer(codec.app, name="codec")
app.add_typer(db.app, name="db")
app.command()(audit.audit)
app.command()(doctor.doctor)


def main() -> NoReturn:
    """The console script."""
    code = _run()
    tracing.close()
    leave(code)


def _run() -> int:
    """The exit code of the command line as it was given, its failures told to the user."""
    try:
        command = sys.argv[1] if sys.argv[1:] else ""
        tracing.set_up(_SERVICES.get(command, "billhook-cli"))
        with nullcontext() if command in _SERVICES else tracing.commanded(command):
            program = typer.main.get_command(app)
            hold_to_utf_8(program)
            program(standalone_mode=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Stop as stop:
        for line in stop.lines:
            say(line)
        return int(stop.code)
    except BillhookError as error:
        cause = error.cause if isinstance(error, BadInput) else error.detail
        named = {"field:": error.field, "cause:": cause, "next: ": for_terminal(error.next_step, api.url)}
        for label, text in named.items():
            if text:
                say(f"{label} {text}")
        return int(api.code_of(error.status))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `billhook invoice list | head`: the reader had enough.
        sys.stderr.close()
    return int(Exit.OK)
