"""The desk's pages: each module a router, all of them in ROUTERS, in the order in which their paths are tried."""

from typing import Final

from fastapi import APIRouter

from starter.console.pages import dashboard, deciding, events, inbox, invoices, runs

ROUTERS: Final[tuple[APIRouter, ...]] = (
    inbox.router,
    invoices.router,
    deciding.router,
    runs.router,
    events.router,
    dashboard.router,
)
