"""One stack and one browser for a module of tests: what takes seconds to start is started once."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from records.tokens import Scope
from tests.console.browser import Person, at_the_desk, launched
from tests.stack import Stack, running_stack


@dataclass
class Office:
    """Where people sit."""

    browser: Browser
    stack: Stack

    def person(self, name: str, *scopes: Scope, **options: Any) -> AbstractAsyncContextManager[Person]:
        return at_the_desk(self.browser, self.stack, name, *scopes, **options)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with (
        launched() as browser,
        running_stack(temporal_address, tmp_path_factory.mktemp("office")) as stack,
    ):
        await stack.customer()
        yield Office(browser, stack)


@pytest_asyncio.fixture(loop_scope="module")
async def dana(office: Office) -> AsyncIterator[Person]:
    """An approver, signed in, at her inbox."""
    async with office.person("dana", Scope.APPROVE) as person:
        await person.sign_in()
        yield person
