"""stdio for clients that start a program: every message goes on to the API's /mcp with the token, and its answer back.

There is one server, in the API's process, and one gate. This process holds no rule, no database and no setting but an
address and a token.
"""

from typing import Any, Final

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

TIMEOUT_S: Final = 60.0
# Longer than the API waits for a workflow's answer.
Ctx = ServerRequestContext[Any]
Paged = PaginatedRequestParams | None


async def bridge(url: str, token: str) -> None:
    """Serve on stdin and stdout until stdin ends. Raises httpx2.HTTPError or MCPError where `url` does not answer."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_S, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), cache=None) as api,
    ):
        server = _Forwarding(api).server()
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())


class _Forwarding:
    """One method per request of the protocol that the server behind it answers."""

    def __init__(self, api: Client) -> None:
        self._api = api.session

    def server(self) -> Server[Any]:
        """Says of itself what the one behind it says."""
        behind = self._api.server_info
        return Server(
            behind.name if behind else "billhook",
            version=behind.version if behind else "",
            instructions=self._api.instructions,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
        )

    async def _list_tools(self, _: Ctx, params: Paged) -> ListToolsResult:
        return await self._api.list_tools(params=params)

    async def _call_tool(self, _: Ctx, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        return await self._api.call_tool(params.name, params.arguments)

    async def _list_resources(self, _: Ctx, params: Paged) -> ListResourcesResult:
        return await self._api.list_resources(params=params)

    async def _list_templates(self, _: Ctx, params: Paged) -> ListResourceTemplatesResult:
        return await self._api.list_resource_templates(params=params)

    async def _read_resource(self, _: Ctx, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await self._api.read_resource(str(params.uri))

    async def _list_prompts(self, _: Ctx, params: Paged) -> ListPromptsResult:
        return await self._api.list_prompts(params=params)

    async def _get_prompt(self, _: Ctx, params: GetPromptRequestParams) -> GetPromptResult:
        return await self._api.get_prompt(params.name, params.arguments)
