"""Commands that speak to Temporal themselves, as the operator of the cluster: no API and no token in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from starter.cli.exits import Exit, Stop
from starter.cli.surroundings import use_embedded_credentials

if TYPE_CHECKING:
    from temporalio.client import Client

    from settings import Settings

_T = TypeVar("_T")


def with_temporal(work: "Callable[[Client, Settings], Awaitable[_T]]") -> _T:
    """The answer of `work`. Raises Stop(UNREACHABLE) where Temporal gives none."""
    from temporalio.service import RPCError  # noqa: PLC0415 - commands load what they need when they run

    from settings import load_settings  # noqa: PLC0415
    from starter.client import EngineUnreachable, connect  # noqa: PLC0415

    async def run() -> _T:
        settings = load_settings()
        return await work(await connect(settings), settings)

    use_embedded_credentials()
    try:
        return asyncio.run(run())
    except EngineUnreachable as error:
        raise Stop(Exit.UNREACHABLE, f"cause: {error.detail}", f"next:  {error.next_step}") from error
    except RPCError as error:
        step = "check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TEMPORAL_API_KEY; `billhook doctor` says more"
        raise Stop(Exit.UNREACHABLE, f"cause: Temporal refused: {error.message}", f"next:  {step}") from error
