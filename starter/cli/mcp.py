"""`billhook mcp`: the MCP server on stdin and stdout, for clients that start a program."""

from typing import Final

from starter.cli import api
from starter.cli.exits import Exit, Stop

_NEXT: Final = "next:  start it with `billhook up`, or set BILLHOOK_API_URL"


def mcp() -> None:
    """Serve agents over stdio, with the token in BILLHOOK_TOKEN; over HTTP the API itself does, at /mcp."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from mcp.shared.exceptions import MCPError  # noqa: PLC0415

    from starter.agents.stdio import bridge  # noqa: PLC0415

    url = api.url()
    _check(url)
    try:
        asyncio.run(bridge(f"{url.rstrip('/')}/mcp", api.token()))
    except* (MCPError, OSError) as error:
        raise Stop(Exit.UNREACHABLE, f"cause: {url} answers no more", _NEXT) from error


def _check(url: str) -> None:
    """Before a client waits: is there an API, and is the token an agent's? Raises Stop."""
    import httpx  # noqa: PLC0415

    headers = {"Authorization": f"Bearer {api.token()}", "Accept": "application/json, text/event-stream"}
    try:
        answer = httpx.post(f"{url.rstrip('/')}/mcp", headers=headers, json={}, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        raise Stop(Exit.UNREACHABLE, f"cause: nothing answers at {url} ({type(error).__name__})", _NEXT) from error
    if answer.status_code in {401, 403, 404, 503}:
        raise api.refused(answer)
