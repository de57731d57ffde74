"""The official client lists and calls everything over both transports, and each thing says of itself what it does."""

import json
from typing import Any

import pytest

from tests.agents.office import over_http, over_stdio, typed_error
from tests.agents.tokens import agent_token
from tests.stack import Stack, milestone_body

TOOLS = {
    "invoice_status", "invoice_timeline", "explain_policy", "fields_map", "list_invoices", "list_waiting",
    "preview_assessment", "draft_invoice", "revise_draft", "request_issue", "propose_case_answer",
}  # fmt: skip
READS = TOOLS - {"draft_invoice", "revise_draft", "request_issue", "propose_case_answer"}


@pytest.mark.parametrize("transport", [over_http, over_stdio])
async def test_every_tool_is_listed_and_called_over_both_transports(stack: Stack, transport: Any) -> None:
    await stack.customer()
    async with transport(stack, *await agent_token(stack)) as agent:
        listed = {tool.name: tool for tool in (await agent.client.list_tools()).tools}
        assert listed.keys() == TOOLS
        for tool in listed.values():
            assert tool.description, tool.name
            assert tool.output_schema, tool.name
            hints = tool.annotations
            assert hints is not None
            assert (hints.read_only_hint, hints.idempotent_hint) == (tool.name in READS, True)
            assert hints.destructive_hint is (tool.name in {"revise_draft", "request_issue"})
            assert hints.open_world_hint is (tool.name == "request_issue")
        trigger = milestone_body(amount="4000.00")
        preview = await agent.does("preview_assessment", motion="milestone", trigger=trigger)
        assert (preview["automatic"], preview["exists"], preview["total"]) == (True, False, "4000.00")
        drafted = await agent.does("draft_invoice", motion="milestone", trigger=trigger)
        key = drafted["key"]
        assert (drafted["created"], drafted["status"]) == (True, "awaiting_approval")
        assert not (await agent.does("draft_invoice", motion="milestone", trigger=trigger))["created"]
        await stack.until(key, "awaiting_approval")
        seen = await agent.does("invoice_status", key=key)
        assert seen["your_actions"] == ["revise_draft", "request_issue"]
        waiting = await agent.does("list_waiting", kind="approval")
        assert [one["key"] for one in waiting["waiting"]] == [key]
        patch = {"payment_terms": "net_60"}
        revised = await agent.does("revise_draft", key=key, revision=seen["revision"], patch=patch)
        await stack.until(key, "awaiting_approval")
        issued = await agent.does("request_issue", key=key, revision=revised["revision"])
        assert issued["status"] == "issuing"
        await stack.until(key, "sent")
        await stack.recipient(key, "change-request", message="Please split it.")
        await stack.until(key, "change_requested")
        case_id = (await agent.does("invoice_status", key=key))["cases"][0]["id"]
        await agent.does("propose_case_answer", key=key, case_id=case_id, answer="decline", note="It was agreed.")
        timeline = await agent.does("invoice_timeline", key=key)
        assert [entry["kind"] for entry in timeline["entries"] if entry["actor"] == agent.name] == [
            "triggered", "proposed", "proposed", "proposed",
        ]  # fmt: skip
        assert [one["key"] for one in (await agent.does("list_invoices"))["invoices"]] == [key]
        assert (await agent.does("explain_policy"))["your_limits"] == {"USD": "5000.00"}
        owners = {one["field"]: one["owner"] for one in (await agent.does("fields_map"))["fields"]}
        assert owners["po_number"] == "recipient"


@pytest.mark.parametrize("transport", [over_http, over_stdio])
async def test_a_refusal_of_any_tool_reaches_a_client_that_checks_answers_against_schemas(
    stack: Stack, transport: Any
) -> None:
    async with transport(stack, *await agent_token(stack)) as agent:
        for tool in TOOLS:
            # Two take no argument: nothing about them can be wrong but the token.
            found = await agent.raw(tool, key={}, motion="no motion", status="no state", kind="no kind")
            assert found.is_error is (tool not in {"explain_policy", "fields_map"}), tool
            if not found.is_error:
                continue
            assert found.structured_content is None
            told = typed_error(found)
            assert (told["error"], told["retryable"]) == ("bad-input", False)
            assert told["field"]
            assert told["next_step"]


@pytest.mark.parametrize("transport", [over_http, over_stdio])
async def test_resources_and_prompts_are_listed_and_read_over_both_transports(stack: Stack, transport: Any) -> None:
    await stack.customer()
    async with transport(stack, *await agent_token(stack)) as agent:
        key = await agent.drafts(**milestone_body(amount="4000.00"))
        await stack.until(key, "awaiting_approval")
        addresses = {str(one.uri) for one in (await agent.client.list_resources()).resources}
        assert addresses == {"billhook://invoices", "billhook://policy", "billhook://fields"}
        templates = (await agent.client.list_resource_templates()).resource_templates
        found = addresses | {one.uri_template.replace("{key}", key) for one in templates}
        assert len(found) == 5
        for address in found:
            contents: Any = (await agent.client.read_resource(address)).contents
            assert json.loads(contents[0].text), address
        prompts = (await agent.client.list_prompts()).prompts
        assert len(prompts) == 4
        for prompt in prompts:
            assert prompt.description
            assert all(argument.description for argument in prompt.arguments or [])
            arguments = {argument.name: "acme" for argument in prompt.arguments or []}
            got: Any = await agent.client.get_prompt(prompt.name, arguments)
            assert got.messages[0].content.text
