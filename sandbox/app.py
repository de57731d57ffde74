"""The sandbox as one ASGI application: `create_app(config)` is all that a server or a test needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from sandbox.api import api
from sandbox.config import SandboxConfig
from sandbox.control import control
from sandbox.faults import FaultyCalls
from sandbox.page import page
from sandbox.parts import Parts
from sandbox.routing import KeyGuard, refuse_in_one_shape


class Sandbox(FastAPI):
    """FastAPI with the faults outermost: closing a connection needs the server's own `send`, unwrapped."""

    parts: Parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        await FaultyCalls(super().__call__, self.parts.faults)(scope, receive, send)


def create_app(config: SandboxConfig) -> FastAPI:
    """The whole sandbox; deliveries begin with the lifespan and end with it."""
    parts = Parts(config)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await parts.start()
        try:
            yield
        finally:
            await parts.stop()

    app = Sandbox(
        title="JupiterInvoice stand-in", version="1", lifespan=lifespan,
        openapi_url="/.well-known/openapi.json", docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.parts = parts
    app.add_middleware(KeyGuard, api_key=config.api_key)
    refuse_in_one_shape(app)
    for router in (api(parts), page(parts), control(parts)):
        # As they were built: an app that includes a router builds all its routes once more.
        app.router.routes.extend(router.routes)
    return app
