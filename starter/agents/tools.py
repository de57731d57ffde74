"""The tools: jobs of the business, each with what the protocol says of it: what it takes, answers and changes.

The hints are for the client's dialogs. No rule hangs on them, nor on a description: an agent that ignores every word
here meets the same gate.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field

from billing.intent import Motion
from billing.motions import MilestoneTrigger, OverageTrigger, PatchBody, ProjectTrigger, QuoteTrigger
from billing.record import Status
from records.inbox import Kind
from starter.agents import views
from starter.agents.jobs import Jobs

_READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_ADDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_REPLACES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
_SENDS: Final = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True)
# An invoice that went out cannot be taken back unseen, and it reaches a stranger.

Ask = Context[Any, Any]
Key = Annotated[str, Field(max_length=400, description="The invoice's key, e.g. invoice:project_4821:milestone_3")]
Revision = Annotated[
    str, Field(min_length=1, max_length=64, description="The revision that you read; another one is refused")
]
Note = Annotated[str, Field(max_length=2000, description="Why, for the people who read the timeline")]
Again = Annotated[
    str,
    Field(max_length=200, description="A key of your own for this call; without one, the same arguments are one call"),
]
Cursor = Annotated[str | None, Field(max_length=1000, description="next_cursor of the page before")]
Trigger = Annotated[
    MilestoneTrigger | ProjectTrigger | QuoteTrigger | OverageTrigger,
    Field(description="The trigger of that motion; amounts as decimal strings, times as in RFC 3339"),
]
Billed = Annotated[
    Literal[Motion.MILESTONE, Motion.PROJECT, Motion.QUOTE, Motion.OVERAGE], Field(description="The way of billing")
]


def add_tools(server: MCPServer, jobs: Callable[[Ask], Jobs]) -> None:
    """Those that ask, then those that change."""
    _add_reading(server, jobs)
    _add_lists(server, jobs)
    _add_drafting(server, jobs)
    _add_proposing(server, jobs)


def _add_reading(server: MCPServer, jobs: Callable[[Ask], Jobs]) -> None:
    @server.tool(title="Invoice status", annotations=_READS)
    async def invoice_status(key: Key, ctx: Ask) -> views.Invoice:
        """How one invoice stands: content, revision, what the policy said, what it waits for, change requests, and what
        people and you can do with it now."""
        return await jobs(ctx).status(key)

    @server.tool(title="Invoice timeline", annotations=_READS)
    async def invoice_timeline(key: Key, ctx: Ask) -> views.Timeline:
        """All that happened to one invoice, with who did it and when; your own doings among it."""
        return await jobs(ctx).timeline(key)

    @server.tool(title="Explain the policy", annotations=_READS)
    async def explain_policy(ctx: Ask) -> views.Rules:
        """What is issued without a person and what is not, and what your own token allows."""
        return await jobs(ctx).policy()

    @server.tool(title="Fields map", annotations=_READS)
    async def fields_map(ctx: Ask) -> views.Fields:
        """Who owns which field of an invoice: we, the invoicing API or the recipient."""
        return await jobs(ctx).fields()


def _add_lists(server: MCPServer, jobs: Callable[[Ask], Jobs]) -> None:
    @server.tool(title="List invoices", annotations=_READS)
    async def list_invoices(
        ctx: Ask,
        status: Annotated[Status | None, Field(description="Only in this state")] = None,
        customer_id: Annotated[str | None, Field(max_length=100, description="Only this customer's")] = None,
        cursor: Cursor = None,
    ) -> views.Invoices:
        """Your customers' invoices, the newest first."""
        return await jobs(ctx).invoices(status, customer_id, cursor)

    @server.tool(title="List what waits", annotations=_READS)
    async def list_waiting(
        ctx: Ask,
        kind: Annotated[Kind | None, Field(description="Only approvals, change requests or repairs")] = None,
        cursor: Cursor = None,
    ) -> views.Queue:
        """What waits for a person: approvals, change requests, invoices parked for repair; the next deadline first."""
        return await jobs(ctx).waiting(kind, cursor)


def _add_drafting(server: MCPServer, jobs: Callable[[Ask], Jobs]) -> None:
    @server.tool(title="Preview the assessment", annotations=_READS)
    async def preview_assessment(motion: Billed, trigger: Trigger, ctx: Ask) -> views.Preview:
        """What would come of a draft: its key and total, whether it would be issued at your wish, and if not, why a
        person must decide. Starts nothing."""
        return await jobs(ctx).preview(motion, _sent(trigger))

    @server.tool(title="Draft an invoice", annotations=_ADDS)
    async def draft_invoice(motion: Billed, trigger: Trigger, ctx: Ask) -> views.Drafted:
        """Draft an invoice for one of your customers. It is not issued by this: ask for that with request_issue. The
        same trigger again is the same invoice."""
        return await jobs(ctx).draft(motion, _sent(trigger))

    @server.tool(title="Revise a draft", annotations=_REPLACES)
    async def revise_draft(  # noqa: PLR0917 - a tool's arguments
        key: Key, revision: Revision, patch: PatchBody, ctx: Ask, note: Note = "", idempotency_key: Again = ""
    ) -> views.Proposed:
        """Change the content of a draft of yours while it waits and nobody has approved it. That makes another
        revision, which the policy assesses anew."""
        return await jobs(ctx).revise(key, revision, patch, note, idempotency_key)


def _add_proposing(server: MCPServer, jobs: Callable[[Ask], Jobs]) -> None:
    @server.tool(title="Request issue", annotations=_SENDS)
    async def request_issue(
        key: Key, revision: Revision, ctx: Ask, note: Note = "", idempotency_key: Again = ""
    ) -> views.Proposed:
        """Ask for an invoice that waits to be issued. A draft of yours within your limit goes out if the policy asks
        for nobody; anything else stays with the person who decides, who sees that you asked."""
        return await jobs(ctx).request_issue(key, revision, note, idempotency_key)

    @server.tool(title="Propose an answer to a change request", annotations=_ADDS)
    async def propose_case_answer(  # noqa: PLR0917 - a tool's arguments
        key: Key,
        case_id: Annotated[str, Field(min_length=1, max_length=200, description="The change request's id")],
        answer: Annotated[Literal["accept", "decline"], Field(description="What you would do")],
        note: Annotated[
            str, Field(min_length=1, max_length=2000, description="Why; if declined, the words to answer with")
        ],
        ctx: Ask,
        parts: Annotated[
            list[str] | None, Field(max_length=20, description="Accept only these of acceptable_parts")
        ] = None,
        patch: Annotated[PatchBody | None, Field(description="Accept with this content instead of theirs")] = None,
        idempotency_key: Again = "",
    ) -> views.Proposed:
        """Say how you would answer a recipient's change request. It answers nobody: a person reads it and decides."""
        body = {"note": note, "patch": patch, "parts": parts}
        return await jobs(ctx).propose_answer(key, case_id, answer, body, idempotency_key)


def _sent(trigger: MilestoneTrigger | ProjectTrigger | QuoteTrigger | OverageTrigger) -> dict[str, Any]:
    return trigger.model_dump(mode="json", exclude_none=True)
