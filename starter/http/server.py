"""The API as a process of its own: one uvicorn, one event loop, one connection to Temporal."""

import asyncio
import gc
import socket

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from records.session import Database
from settings import Settings
from starter import logs
from starter.client import connect
from starter.http.app import create_app


def serve(settings: Settings, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT. Raises OSError if the port cannot be had."""
    logs.configure(settings.log_format, settings)
    listening = _bound(host, port)
    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(_serve(settings, listening))
    finally:
        listening.close()


def _bound(host: str, port: int) -> socket.socket:
    """Bound here, since uvicorn would end the process instead of saying so."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: asyncio turns Nagle's delay off only on a socket that says it is TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


async def _serve(settings: Settings, listening: socket.socket) -> None:
    database = Database(settings.database, settings.pool)
    try:
        app = create_app(settings, database, lambda: connect(settings))
        config = uvicorn.Config(
            app,
            log_level="warning",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        # What is loaded by now stays; a full collection that looks at all of it stops every sender for 0.1 s.
        gc.collect()
        gc.freeze()
        await uvicorn.Server(config).serve(sockets=[listening])
    finally:
        await database.close()
