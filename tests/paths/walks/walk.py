"""What a walk is, the register that they put themselves down in, and what several of them do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests.paths.world import World

OVER: Final = "30000.00"
# Over the threshold, so that a person is asked.
FAR_OVER: Final = "120000.00"
# Over the second limit, so that two are.


class Engine(StrEnum):
    """What a walk needs of Temporal."""

    DEV_SERVER = "dev server"
    SKIPS_TIME = "skips time"
    SHORT_HISTORY = "asks to continue as new soon"


@dataclass(frozen=True)
class Walk:
    """`ends` is the status at the end."""

    name: str
    ends: str
    engine: Engine
    go: Callable[[World], Awaitable[str]]

    async def on(self, world: World) -> str:
        """Walks to the end; the key of the invoice that the path is about."""
        key = await self.go(world)
        await world.ended(key, self.ends)
        return key


WALKS: Final[dict[str, Walk]] = {}


def walk(
    ends: str = "billed", *, on: Engine = Engine.DEV_SERVER
) -> Callable[[Callable[[World], Awaitable[str]]], Callable[[World], Awaitable[str]]]:
    def named(go: Callable[[World], Awaitable[str]]) -> Callable[[World], Awaitable[str]]:
        WALKS[go.__name__] = Walk(go.__name__, ends, on, go)
        return go

    return named


def lines(amount: str) -> dict[str, Any]:
    return {"line_items": [{"description": "Design and workshop", "quantity": "1", "unit_price": amount}]}


def percent(value: str) -> dict[str, Any]:
    return {"discount": {"type": "percent", "value": value}}


TEN_OFF: Final = {"discount": {"type": "percent", "value": "10"}}


async def asked_to_change(world: World, key: str, message: str = "please change it") -> str:
    await world.sent(key)
    return await world.asks_for_change(key, message)
