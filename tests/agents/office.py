"""An agent at work for a test: its token, the official client over either transport, and the answers as data."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from jsonschema import Draft202012Validator
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from tests.stack import Stack


@dataclass
class Agent:
    """`client` is the official one."""

    name: str
    secret: str
    client: Client
    _schemas: dict[str, Any] = field(default_factory=dict)

    async def raw(self, tool: str, **arguments: Any) -> CallToolResult:
        """Looked at as strict clients look at every answer, refusals too: what is structured fits the tool's schema."""
        found = await self.client.call_tool(tool, arguments)
        assert isinstance(found, CallToolResult)
        schema = (await self.schemas()).get(tool)
        if schema is not None and found.structured_content is not None:
            Draft202012Validator(schema).validate(found.structured_content)
        return found

    async def schemas(self) -> dict[str, Any]:
        """What each tool says that it answers."""
        if not self._schemas:
            self._schemas = {tool.name: tool.output_schema for tool in (await self.client.list_tools()).tools}
        return self._schemas

    async def does(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a call that succeeds."""
        found = await self.raw(tool, **arguments)
        assert not found.is_error, found.content
        assert isinstance(found.structured_content, dict)
        return found.structured_content

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The typed error of a call that fails."""
        return typed_error(await self.raw(tool, **arguments))

    async def drafts(self, **trigger: Any) -> str:
        """A milestone; its key."""
        answer = await self.does("draft_invoice", motion="milestone", trigger=trigger)
        return str(answer["key"])


def typed_error(found: CallToolResult) -> dict[str, Any]:
    """The JSON in the text of a refusal."""
    assert found.is_error, found.structured_content
    (block,) = found.content
    assert isinstance(block, TextContent)
    told: dict[str, Any] = json.loads(block.text)
    assert {"error", "detail", "field", "retryable", "next_step"} == told.keys()
    return told


@asynccontextmanager
async def over_http(stack: Stack, name: str, secret: str) -> AsyncIterator[Agent]:
    """Streamable HTTP at the API's /mcp."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(f"{stack.api.base_url}/mcp", http_client=http)) as client,
    ):
        yield Agent(name, secret, client)


@asynccontextmanager
async def over_stdio(stack: Stack, name: str, secret: str) -> AsyncIterator[Agent]:
    """`billhook mcp` as a client starts it."""
    env = {**os.environ, "BILLHOOK_API_URL": str(stack.api.base_url), "BILLHOOK_TOKEN": secret}
    program = StdioServerParameters(command=sys.executable, args=["-m", "starter.cli", "mcp"], env=env)
    async with Client(program) as client:
        yield Agent(name, secret, client)
