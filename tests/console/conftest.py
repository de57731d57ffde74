"""The desk as a browser sees it: cookies kept, redirects followed or looked at, forms sent as pages hold them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from records.tokens import Scope, create_token
from tests.starter.conftest import Api, running_api

ORIGIN: Final = "http://billhook"
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Browser:
    """One person's browser. `http` has a cookie jar of its own and follows nothing by itself."""

    http: httpx.AsyncClient
    api: Api
    names: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return await self.http.get(path, **kwargs)

    async def secret_of(self, page: str) -> str:
        """The CSRF field of a page's forms."""
        found = _CSRF.search((await self.get(page)).text)
        assert found, f"no form on {page}"
        return found[1]

    async def post(self, path: str, data: dict[str, Any] | None = None, *, page: str = "/desk/zone") -> httpx.Response:
        """`data` as a form of `page` would be sent."""
        secret = await self.secret_of(page)
        return await self.http.post(
            path, data={"csrf": secret, **(data or {})}, headers={"Origin": ORIGIN, "Referer": f"{ORIGIN}{page}"}
        )

    async def sign_in(self, *scopes: Scope) -> str:
        """As somebody new; his name."""
        name, secret = await new_token(self.api, *scopes)
        answer = await self.post("/desk/sign-in", {"token": secret}, page="/desk/sign-in")
        assert answer.status_code == 303, answer.text
        return name


async def new_token(api: Api, *scopes: Scope, name: str = "") -> tuple[str, str]:
    """A live token: its name and its secret."""
    name = name or f"p-{uuid4().hex[:8]}"
    async with api.database.transaction() as session:
        return name, await create_token(session, name, list(scopes))


def browser_at(api: Api, **kwargs: Any) -> Browser:
    """To be closed by its caller."""
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False, **kwargs)
    return Browser(httpx.AsyncClient(transport=transport, base_url=ORIGIN, timeout=30), api)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Api]:
    """The application without Temporal: what the desk does by itself."""
    async with running_api("127.0.0.1:1", tmp_path) as running:
        yield running


@pytest.fixture
async def browser(desk: Api) -> AsyncIterator[Browser]:
    found = browser_at(desk)
    async with found.http:
        yield found
