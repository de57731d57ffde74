"""The desk's pages: each module a router, all of them in ROUTERS, in the order in which their paths are tried."""

from typing import Final

from fastapi import APIRouter

ROUTERS: Final[tuple[APIRouter, ...]] = ()
