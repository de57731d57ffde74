"""`python -m sandbox`: the stand-in alone.

Secrets come from environment variables named on the command line, so that none shows in a process list.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sandbox.config import SandboxConfig
from sandbox.server import bind, build_server


def main(
    *,
    data: Annotated[Path, typer.Option(help="The SQLite file; made when it is not there.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one and prints it.")] = 8401,
    public_url: Annotated[str | None, typer.Option(help="What share links begin with.")] = None,
    api_key_env: Annotated[str, typer.Option(help="Variable that holds the API key.")] = "SANDBOX_API_KEY",
    webhook_url: Annotated[str | None, typer.Option(help="An endpoint that gets every event.")] = None,
    webhook_secret_env: Annotated[
        str, typer.Option(help="Variable that holds that endpoint's secret.")
    ] = "SANDBOX_WEBHOOK_SECRET",  # noqa: S107 - the name of a variable, not a secret
    sender_name: Annotated[str, typer.Option(help="Who the invoices are from.")] = SandboxConfig.sender_name,
    idempotency_ttl_s: Annotated[int, typer.Option(help="Life of an idempotency key.")] = 86_400,
    webhook_first_pause_s: Annotated[float, typer.Option(help="Pause before the first redelivery.")] = 0.5,
) -> None:
    """Serve a JupiterInvoice stand-in until it is stopped."""
    key = os.environ.get(api_key_env)
    if not key:
        raise typer.BadParameter(f"the variable {api_key_env} is empty", param_hint="--api-key-env")
    try:
        listener = bind(host, port)
    except OSError as error:
        raise typer.BadParameter(f"port {port} cannot be used: {error.strerror}", param_hint="--port") from error
    url = f"http://{host}:{listener.getsockname()[1]}"
    config = SandboxConfig(
        database=data, api_key=key, public_url=public_url or url, webhook_url=webhook_url, sender_name=sender_name,
        webhook_secret=os.environ.get(webhook_secret_env) or None, idempotency_ttl_s=idempotency_ttl_s,
        webhook_first_pause_s=webhook_first_pause_s,
    )  # fmt: skip
    server = build_server(config)
    sys.stdout.write(f"sandbox listening on {url}\n")
    sys.stdout.flush()
    with listener:
        server.run(sockets=[listener])


if __name__ == "__main__":
    typer.run(main)
