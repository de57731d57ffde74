"""`billhook events` as an operator meets it: what the lists say when they are empty, what to do about quarantine."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from billing.record import Fate
from records import events
from records.events import Mark
from records.tokens import Scope
from starter.cli.exits import Exit
from tests import commands
from tests.records.make import an_event
from tests.stack import listening, serving, url_of
from tests.starter.conftest import Api

Answer = tuple[int, str, str]


class Operator:
    """Runs `billhook events ...` against an API whose dispatcher is stopped, so that only the commands change fates."""

    def __init__(self, api: Api, url: str, folder: Path, token: str) -> None:
        self.api = api
        self._folder = folder
        self._env = {**os.environ, "BILLHOOK_DATA_DIR": str(folder), "BILLHOOK_API_URL": url, "BILLHOOK_TOKEN": token}

    async def __call__(self, *arguments: str) -> Answer:
        return await commands.answer("events", *arguments, env=self._env, cwd=self._folder)

    async def quarantined(self, *names: str) -> None:
        async with self.api.database.transaction() as session:
            for name in names:
                event = an_event(name)
                await events.accept(session, "jupiter", event, event.model_dump_json().encode())
            await events.mark(session, [Mark(name, Fate.QUARANTINED, "no invoice of ours", 10) for name in names])

    async def fates(self, *names: str) -> list[tuple[str, int]]:
        found = [await self.api.event(name) for name in names]
        return [(one.fate, one.attempts) for one in found if one is not None]


@pytest.fixture
async def operator(api_without_temporal: Api, tmp_path: Path) -> AsyncIterator[Operator]:
    api = api_without_temporal
    await api.parts.dispatcher.stop()
    headers = await api.token(Scope.ADMIN)
    listener = listening()
    config = uvicorn.Config(api.app, access_log=False, log_level="warning", timeout_graceful_shutdown=2)
    async with serving(uvicorn.Server(config), listener):
        await api.parts.dispatcher.stop()
        yield Operator(api, url_of(listener), tmp_path, headers["Authorization"].removeprefix("Bearer "))


async def test_an_empty_list_says_what_it_means(operator: Operator) -> None:
    assert await operator("list") == (0, "", "no event has come yet; `billhook doctor` checks the way in\n")
    assert await operator("list", "--fate", "quarantined") == (0, "", "no event is quarantined\n")
    assert await operator("list", "--json") == (0, "[]\n", "")


async def test_quarantined_events_come_with_their_reason_and_the_way_out(operator: Operator) -> None:
    await operator.quarantined("evt_1")
    code, out, err = await operator("list")
    assert (code, "no invoice of ours" in out) == (0, True)
    assert "billhook events replay ID" in err
    code, out, err = await operator("list", "--fate", "quarantined", "--json")
    assert ([one["id"] for one in json.loads(out)], err) == (["evt_1"], "")


async def test_a_fate_that_does_not_exist_is_refused_naming_those_that_do(operator: Operator) -> None:
    code, out, err = await operator("list", "--fate", "lost")
    assert (code, out) == (Exit.USAGE, "")
    assert "quarantined" in err


async def test_several_events_are_replayed_at_once_and_an_unknown_one_stops_none(operator: Operator) -> None:
    await operator.quarantined("evt_1", "evt_2", "evt_3")
    code, out, err = await operator("replay", "evt_1", "evt_none", "evt_2")
    assert (code, out.split()[0::3]) == (Exit.NOT_FOUND, ["evt_1", "evt_2"])
    assert "evt_none" in err
    assert await operator.fates("evt_1", "evt_2", "evt_3") == [("pending", 0), ("pending", 0), ("quarantined", 10)]


async def test_all_that_is_quarantined_is_replayed_in_one_go_and_nothing_else(operator: Operator) -> None:
    await operator.quarantined("evt_1", "evt_2")
    async with operator.api.database.transaction() as session:
        await events.accept(session, "jupiter", an_event("evt_3"), b"raw")
        await events.mark(session, [Mark("evt_3", Fate.DELIVERED, attempts=1)])
    code, out, _ = await operator("replay", "--all-quarantined")
    assert (code, out) == (0, "2  queued again\n")
    assert await operator.fates("evt_1", "evt_2", "evt_3") == [("pending", 0), ("pending", 0), ("delivered", 1)]


@pytest.mark.parametrize("arguments", [(), ("evt_1", "--all-quarantined")])
async def test_replay_wants_names_or_all_and_says_so(operator: Operator, arguments: tuple[str, ...]) -> None:
    code, out, err = await operator("replay", *arguments)
    assert (code, out) == (Exit.USAGE, "")
    assert "--all-quarantined" in err
