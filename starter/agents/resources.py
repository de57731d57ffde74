"""What an agent can read by address: its invoices, the policy, the map of fields. The same as the tools answer."""

from collections.abc import Awaitable, Callable
from typing import Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from pydantic import BaseModel

from billing.errors import BillhookError, NotFound
from starter.agents.jobs import Jobs

_JSON: Final = "application/json"


def add_resources(server: MCPServer, jobs: Callable[[], Jobs]) -> None:
    """`jobs` are those of whoever reads: the SDK hands a fixed address no context of its own."""

    @server.resource("billhook://invoices/{key}", title="One invoice", description="As invoice_status", mime_type=_JSON)
    async def invoice(key: str) -> str:
        return await _told(jobs().status(key))

    @server.resource(
        "billhook://invoices/{key}/timeline", title="Its timeline", description="As invoice_timeline", mime_type=_JSON
    )
    async def timeline(key: str) -> str:
        return await _told(jobs().timeline(key))

    @server.resource("billhook://invoices", title="Invoices", description="The newest of yours", mime_type=_JSON)
    async def invoices() -> str:
        return await _told(jobs().invoices(None, None, None))

    @server.resource("billhook://policy", title="Policy", description="As explain_policy", mime_type=_JSON)
    async def policy() -> str:
        return await _told(jobs().policy())

    @server.resource("billhook://fields", title="Fields map", description="As fields_map", mime_type=_JSON)
    async def fields() -> str:
        return await _told(jobs().fields())


async def _told(job: Awaitable[BaseModel]) -> str:
    """Its answer as JSON; a refusal as the protocol has it."""
    try:
        return (await job).model_dump_json()
    except NotFound as error:
        raise ResourceNotFoundError(error.detail) from error
    except BillhookError as error:
        raise ResourceError(error.detail) from error
