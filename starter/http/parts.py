"""What every route works with; built once in `app.py`, found on the request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from billing.motions_file import MotionsFile
from billing.policy import Policy
from records.session import Database
from settings import Settings
from starter.client import Engine
from starter.deciding import Deciding
from starter.dispatcher import Dispatcher
from starter.http.metrics import Metrics
from starter.http.rates import Rates
from starter.http.refused import RefusedWebhooks
from starter.http.uses import Uses
from starter.intake import Door, Verifier
from starter.vendors.build import Vendors


@dataclass(frozen=True)
class Parts:
    """The API's parts, by name."""

    settings: Settings
    database: Database
    engine: Engine
    deciding: Deciding
    policy: Policy
    motions: MotionsFile
    dispatcher: Dispatcher
    verifier: Verifier
    door: Door
    metrics: Metrics
    vendors: Vendors
    rates: Rates
    uses: Uses
    refused: RefusedWebhooks


async def parts_of(request: Request) -> Parts:
    """The parts of the application that serves `request`. Async, since FastAPI sends a plain function to a thread."""
    parts: Parts = request.app.state.parts
    return parts


UseParts = Annotated[Parts, Depends(parts_of)]
