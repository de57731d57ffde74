"""The sandbox as a process: a bound socket, uvicorn without an access log, and a clean end on SIGTERM."""

import socket

import uvicorn

from sandbox.app import create_app
from sandbox.config import SandboxConfig

KEEP_ALIVE_S = 75
# Longer than any client keeps an idle connection, so that none is closed just as it is used again.


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `OSError` when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named since asyncio turns Nagle off only then; without it each kept-alive call waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(1024)
    return listener


def build_server(config: SandboxConfig) -> uvicorn.Server:
    """A server that is not running yet; `server.run(sockets=[...])` or `await server.serve(sockets=[...])` runs it."""
    options = uvicorn.Config(
        create_app(config), access_log=False, log_level="warning", server_header=False, lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=3,
    )  # fmt: skip
    return uvicorn.Server(options)


def serve(config: SandboxConfig, host: str, port: int) -> None:
    """Run until SIGINT or SIGTERM. Raises `OSError` when the port is taken."""
    with bind(host, port) as listener:
        build_server(config).run(sockets=[listener])
