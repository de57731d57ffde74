"""Who uses the stack while it dies: systems that trigger, an approver, recipients. Each has only what the real one has.

Nobody here knows of the outages. Whoever gets no answer asks again: a trigger with the same body, hence the same key; a
person after looking at the present state. What was done and not heard of must therefore do no harm.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.stack import milestone_body

ENDS: Final = frozenset({"billed", "rejected", "cancelled"})
AT_ONCE: Final = 8
LOOK_S: Final = 0.3
_AGAIN_S: Final = 0.3
_NO_ANSWER: Final = (httpx.TransportError, httpx.InvalidURL)
_BROWSER: Final = {"Accept": "application/json", "User-Agent": "Mozilla/5.0"}


@dataclass
class Plan:
    """What becomes of one invoice if nothing breaks. `change`: how the recipient's wish is answered, if he has one."""

    body: dict[str, Any]
    ends: str
    change: str
    amends: dict[str, str]
    looked: bool = False
    asked: bool = False
    busy: bool = field(default=False, repr=False)

    @property
    def key(self) -> str:
        return f"invoice:{self.body['project_id']}:{self.body['milestone_id']}"


def plans(count: int, customers: Sequence[str], draw: random.Random) -> list[Plan]:
    """Most are billed; some are rejected by the approver, some cancelled after they were sent."""
    return [_plan(number, draw.choice(customers), draw) for number in range(count)]


def _plan(number: int, customer: str, draw: random.Random) -> Plan:
    ends = draw.choices(["billed", "rejected", "cancelled"], [80, 10, 10])[0]
    asks_a_human = ends == "rejected" or draw.random() < 0.3
    body = milestone_body(
        event_id=f"evt_{number}", project_id=f"project_{number}", customer_id=customer,
        amount=f"{26000 + number if asks_a_human else 900 + number}.{number % 100:02d}",
        deal_id=f"deal_{number}" if draw.random() < 0.5 else None,
        discount={"type": "percent", "value": "3"} if draw.random() < 0.2 else None,
    )  # fmt: skip
    amends = {"po_number": f"PO-{number}", "billing_entity": f"Entity {number}"} if draw.random() < 0.6 else {}
    return Plan(body, ends, draw.choice(["", "", "accept", "decline"]), amends)


class People:
    """`systems`, `approver`: tokens' headers. `answers` counts what everybody heard, by status; 0 is no answer."""

    def __init__(self, api_url: str, systems: dict[str, str], approver: dict[str, str]) -> None:
        self.http = httpx.AsyncClient(timeout=15, trust_env=False)
        self.answers: Counter[int] = Counter()
        self._api_url, self._systems, self._approver = api_url, systems, approver
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def trigger(self, plan: Plan) -> None:
        """Sent until it is heard that it was taken."""
        while True:
            with suppress(*_NO_ANSWER):
                answer = await self._ask("POST", "/triggers/milestone", self._systems, plan.body)
                if answer.status_code == httpx.codes.ACCEPTED:
                    assert answer.json()["key"] == plan.key
                    return
                assert answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR, answer.text
            await asyncio.sleep(_AGAIN_S)

    async def all_invoices(self) -> dict[str, dict[str, Any]]:
        """By key; empty when there is no answer now."""
        found: dict[str, dict[str, Any]] = {}
        cursor: str | None = ""
        while cursor is not None:
            query = f"&cursor={cursor}" if cursor else ""
            try:
                answer = await self._ask("GET", f"/invoices?limit=200{query}", self._systems)
            except _NO_ANSWER:
                return {}
            if not answer.is_success:
                return {}
            found |= {one["key"]: one for one in answer.json()["data"]}
            cursor = answer.json()["next_cursor"]
        return found

    async def react(self, plan: Plan, seen: dict[str, Any]) -> None:
        """One thing that somebody does about the invoice as he sees it; nothing if it waits for nobody."""
        if plan.busy:
            return
        plan.busy = True
        try:
            async with self._gate:
                with suppress(*_NO_ANSWER):
                    await self._act(plan, seen)
        finally:
            plan.busy = False

    async def _act(self, plan: Plan, seen: dict[str, Any]) -> None:
        match seen["status"]:
            case "awaiting_approval":
                action = "reject" if plan.ends == "rejected" else "approve"
                wish = {"action": action, "revision": seen["revision"], "note": "looked at"}
                await self._wish(seen, "decision", wish)
            case "needs_attention":
                await self._wish(seen, "retry", {"reason": "it should work by now"})
            case "change_requested":
                await self._answer_case(plan, seen)
            case "sent" | "viewed" if plan.ends == "cancelled":
                await self._wish(seen, "cancel", {"reason": "not what was agreed"})
            case "sent" | "viewed" if seen["link"]:
                await self._as_recipient(plan, seen)

    async def _answer_case(self, plan: Plan, seen: dict[str, Any]) -> None:
        case = next((one for one in seen["cases"] if one["status"] == "open"), None)
        if case is None:
            return
        wish: dict[str, Any] = {"action": plan.change or "decline", "note": "talked about it"}
        if wish["action"] == "accept":
            wish["patch"] = {"discount": {"type": "percent", "value": "5"}}
        await self._wish(seen, f"change-requests/{case['id']}/decision", wish)

    async def _wish(self, seen: dict[str, Any], path: str, body: dict[str, Any]) -> None:
        # A refusal is an answer too: somebody else, or an earlier try, was quicker. The next look says what is true.
        await self._ask("POST", f"/invoices/{seen['key']}/{path}", self._approver, body)

    async def _as_recipient(self, plan: Plan, seen: dict[str, Any]) -> None:
        link = seen["link"]
        page = await self._browse("GET", link)
        if not plan.looked and plan.amends:
            page = await self._browse("POST", f"{link}/amend", plan.amends)
        plan.looked = True
        if plan.change and not plan.asked:
            await self._browse("POST", f"{link}/change-request", {"message": "somewhat less, please"})
            plan.asked = True
        elif not plan.asked or any(case["status"] != "open" for case in seen["cases"]):
            await self._browse("POST", f"{link}/approve", {"version": str(page.json()["version"])})

    async def _browse(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx.Response:
        answer = await self.http.request(method, url, data=form, headers=_BROWSER)
        self.answers[answer.status_code] += 1
        return answer

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
        try:
            answer = await self.http.request(method, f"{self._api_url}{path}", json=body, headers=headers)
        except _NO_ANSWER:
            self.answers[0] += 1
            raise
        self.answers[answer.status_code] += 1
        return answer


async def play(people: People, plans: Sequence[Plan], seconds: float, patience_s: float) -> dict[str, dict[str, Any]]:
    """Triggers spread over `seconds`, then until every invoice ended or patience did. The invoices as last seen."""
    loop = asyncio.get_running_loop()
    seen: dict[str, dict[str, Any]] = {}
    async with asyncio.TaskGroup() as group:
        for number, plan in enumerate(plans):
            group.create_task(_later(seconds * number / len(plans), people, plan))
        until = loop.time() + seconds + patience_s
        while loop.time() < until:
            seen = await people.all_invoices() or seen
            open_ones = [plan for plan in plans if seen.get(plan.key, {}).get("status") not in ENDS]
            if not open_ones:
                break
            for plan in open_ones:
                if plan.key in seen and not plan.busy:
                    group.create_task(people.react(plan, seen[plan.key]))
            await asyncio.sleep(LOOK_S)
    return seen


async def _later(seconds: float, people: People, plan: Plan) -> None:
    await asyncio.sleep(seconds)
    await people.trigger(plan)
