"""The people of the simulated year. Each acts on what he sees, as his own dice fall: the seed, the invoice, the day.

Refusals are part of life (a stale revision, a version that is not current any more, somebody who was quicker); what
may not happen is an answer that nobody should get, such as a 5xx of ours.
"""

import random
from collections import Counter
from typing import Any, Final

import httpx
from temporalio.service import RPCError

from records.tokens import Scope
from tests.stack import Stack

OPEN: Final = frozenset({"awaiting_approval", "sent", "viewed", "change_requested", "needs_attention"})
_FIELDS: Final = ("po_number", "billing_entity", "tax_id")
_EDIT: Final = {"discount": {"type": "percent", "value": "4"}}
_OURS_BROKE: Final = 500


class People:
    """`done` counts what was tried; `wrong` holds answers that nobody should get."""

    def __init__(self, stack: Stack, seed: int, approver: dict[str, str]) -> None:
        self._stack, self._seed, self._approver = stack, seed, approver
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []

    @classmethod
    async def of(cls, stack: Stack, seed: int) -> "People":
        return cls(stack, seed, await stack.token("dana", Scope.APPROVE, Scope.READ))

    async def act(self, seen: dict[str, Any], day: int) -> None:
        """What somebody does about the invoice today, if anybody does anything."""
        draw = random.Random(f"{self._seed} {seen['key']} {day}")
        match seen["status"]:
            case "awaiting_approval":
                await self._approver_acts(seen, draw)
            case "sent" | "viewed":
                await self._recipient_acts(seen, draw)
            case "change_requested":
                await self._owner_acts(seen, draw)
            case "needs_attention":
                await self._operator_acts(seen, draw)

    async def finish(self, seen: dict[str, Any]) -> None:
        """The year is over: whoever the invoice waits for does what ends it."""
        match seen["status"]:
            case "awaiting_approval":
                await self._decide(seen, "approve", "year's end")
            case "change_requested":
                await self._answer_case(seen, "decline")
                await self._page(seen, "approve", version=str(seen["version"]))
            case "needs_attention":
                await self._ask(f"{seen['key']}/retry", {"reason": "year's end"})
            case "sent" | "viewed":
                await self._page(seen, "approve", version=str(seen["version"]))

    async def _approver_acts(self, seen: dict[str, Any], draw: random.Random) -> None:
        match draw.choices(["approve", "edit", "signal", "stale", "reject", "nothing"], [40, 12, 12, 6, 10, 20])[0]:
            case "approve":
                await self._decide(seen, "approve", "looked at")
            case "edit":
                await self._decide(seen, "approve", "with a little less", patch=_EDIT)
            case "signal":
                await self._signal(seen)
            case "stale":
                await self._decide(seen | {"revision": "0" * 64}, "approve", "seen yesterday")
            case "reject":
                await self._decide(seen, "reject", "not agreed")

    async def _recipient_acts(self, seen: dict[str, Any], draw: random.Random) -> None:
        chosen = draw.choices(
            ["look", "amend", "ask", "approve", "stale", "cancel", "void", "nothing"], [20, 22, 10, 28, 4, 3, 1, 12]
        )[0]
        match chosen:
            case "look":
                await self._page(seen, "")
            case "amend":
                names = draw.sample(_FIELDS, draw.randint(1, len(_FIELDS)))
                await self._page(seen, "amend", **{name: f"{name}-{draw.randrange(10**6)}" for name in names})
            case "ask":
                await self._page(seen, "change-request", message="cheaper, please <b>now</b>")
            case "approve":
                await self._page(seen, "approve", version=str(seen["version"]))
            case "stale":
                await self._page(seen, "approve", version=str(max(1, seen["version"] - 1)))
            case "cancel":
                await self._ask(f"{seen['key']}/cancel", {"reason": "not what was agreed"})
            case "void":
                await self._api_void(seen)

    async def _owner_acts(self, seen: dict[str, Any], draw: random.Random) -> None:
        match draw.choices(["accept", "decline", "overtaken", "amend", "nothing"], [35, 30, 10, 5, 20])[0]:
            case "accept":
                await self._answer_case(seen, "accept")
            case "decline":
                await self._answer_case(seen, "decline")
            case "overtaken":
                await self._page(seen, "approve", version=str(seen["version"]))
            case "amend":
                await self._page(seen, "amend", po_number=f"PO-{draw.randrange(10**6)}")

    async def _operator_acts(self, seen: dict[str, Any], draw: random.Random) -> None:
        match draw.choices(["retry", "abandon", "nothing"], [70, 10, 20])[0]:
            case "retry":
                await self._ask(f"{seen['key']}/retry", {"reason": "it should work by now"})
            case "abandon":
                await self._ask(f"{seen['key']}/retry", {"reason": "given up", "abandon": True})

    async def _decide(self, seen: dict[str, Any], action: str, note: str, **more: Any) -> None:
        body = {"action": action, "revision": seen["revision"], "note": note, **more}
        await self._ask(f"{seen['key']}/decision", body, self._approver)

    async def _signal(self, seen: dict[str, Any]) -> None:
        """As from the Temporal UI."""
        self.done["signal"] += 1
        try:
            await self._stack.client.get_workflow_handle(seen["key"]).signal(
                "approve", {"approver": "dana", "note": "UI"}
            )
        except RPCError as error:
            self.done[f"signal refused: {error.status.name.lower()}"] += 1

    async def _answer_case(self, seen: dict[str, Any], action: str) -> None:
        case = next((one for one in seen["cases"] if one["status"] == "open"), None)
        if case is None:
            return
        body: dict[str, Any] = {"action": action, "note": "talked about it"}
        if action == "accept":
            body["patch"] = {"discount": {"type": "percent", "value": "5"}}
        await self._ask(f"{seen['key']}/change-requests/{case['id']}/decision", body, self._approver)

    async def _api_void(self, seen: dict[str, Any]) -> None:
        """Somebody voids it at the invoicing API, behind our back; under faults, so it may fail."""
        self.done["void at the API"] += 1
        try:
            await self._stack.jupiter.post(f"/api/v1/invoices/{seen['external_id']}/void", json={"reason": "by hand"})
        except httpx.TransportError:
            self.done["void at the API: no answer"] += 1

    async def _page(self, seen: dict[str, Any], action: str, **form: str) -> None:
        if not seen["link"]:
            return
        headers = {"Accept": "application/json", "Authorization": "", "User-Agent": "Mozilla/5.0"}
        if action:
            answer = await self._stack.jupiter.post(f"{seen['link']}/{action}", data=form, headers=headers)
        else:
            answer = await self._stack.jupiter.get(seen["link"], headers=headers)
        self.done[f"recipient: {action or 'look'} {answer.status_code}"] += 1

    async def _ask(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        answer = await self._stack.api.post(f"/invoices/{path}", json=body, headers=headers)
        action = str(body.get("action", path.rpartition("/")[2]))
        self.done[f"{action} {answer.status_code}"] += 1
        # Inside a step at a provider that is slow or away, an answer may take longer than a caller can be held.
        is_late = answer.headers["content-type"] == "application/problem+json" and "no-answer-yet" in answer.text
        if answer.status_code >= _OURS_BROKE and not is_late:
            self.wrong.append(f"POST /invoices/{path} was answered {answer.status_code}: {answer.text[:200]}")
