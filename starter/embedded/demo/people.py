"""Who takes part: the systems that trigger, an approver, the recipients. Each has only what the real one has."""

import asyncio
from typing import Any, Final
from urllib.parse import quote

import httpx

from starter.embedded.demo.month import LEFT, Does, Example
from starter.embedded.errors import StackError

_AT_ONCE: Final = 6
# A month arrives in minutes here; more at once only fills the engine's one SQLite connection.
_BROWSER: Final = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101", "Accept": "application/json"}
_TIMEOUT_S: Final = 30.0


def caller(url: str, token: str) -> httpx.AsyncClient:
    """An HTTP client of our API with one token."""
    return httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S, trust_env=False
    )


async def asked(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    """The answer's JSON. Raises StackError with the refusal."""
    answer = await client.request(method, path, json=body)
    if not answer.is_success:
        raise StackError(f"{method} {path} answers {answer.status_code}: {answer.text[:500]}", "read the logs")
    return answer.json()


async def listed(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """Every row of a `{data, next_cursor}` list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await asked(client, "GET", f"{path}?limit=100{cursor}")
        found += page["data"]
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={quote(page['next_cursor'], safe='')}"


async def trigger(client: httpx.AsyncClient, examples: list[Example]) -> tuple[dict[str, Example], list[str]]:
    """Send every trigger as often as it says, the copies at once. Keys to examples, and what was folded wrongly."""
    gate, keys, wrong = asyncio.Semaphore(_AT_ONCE), {}, []

    async def send(example: Example) -> Any:
        async with gate:
            return await asked(client, "POST", f"/triggers/{example.motion}", example.body)

    async def all_copies(example: Example) -> None:
        answers = await asyncio.gather(*(send(example) for _ in range(example.times)))
        found = {answer["key"] for answer in answers}
        created = sum(answer["created"] for answer in answers)
        if len(found) != 1 or created > 1:
            wrong.append(f"{example.body['event_id']}: {created} of {example.times} copies started an invoice")
        keys[found.pop()] = example

    await asyncio.gather(*(all_copies(example) for example in examples))
    return keys, wrong


class Approver:
    """Decides on what waits, with a token of its own."""

    def __init__(self, client: httpx.AsyncClient, keys: dict[str, Example]) -> None:
        self._client = client
        self._keys = keys

    async def look(self) -> None:
        """One round over both queues; what the month leaves to somebody else is left."""
        for waiting in await listed(self._client, "/approvals"):
            if waiting["key"] in self._keys and self._keys[waiting["key"]].approver != LEFT:
                await self._decide(waiting)
        for case in await listed(self._client, "/cases"):
            if case["key"] in self._keys and self._keys[case["key"]].answer:
                path = f"change-requests/{quote(case['id'], safe='')}/decision"
                await self._say(case["key"], path, self._keys[case["key"]].answer)

    async def _decide(self, waiting: dict[str, Any]) -> None:
        action = self._keys[waiting["key"]].approver
        note = "checked against the contract" if action == "approve" else "the customer disputes the acceptance"
        body = {"action": action, "revision": waiting["revision"], "note": note}
        await self._say(waiting["key"], "decision", body)

    async def _say(self, key: str, path: str, body: dict[str, Any]) -> None:
        answer = await self._client.post(f"/invoices/{quote(key, safe='')}/{path}", json=body)
        # 409: the list was a moment older than the invoice; the next round reads it again.
        if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
            raise StackError(f"the approver was refused: {answer.text[:500]}", "read the logs")


class Recipients:
    """Open the link that they were sent, and do there what the example says."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._done: set[str] = set()
        self._asked: set[str] = set()

    async def react(self, example: Example, invoice: dict[str, Any]) -> None:
        """Once per invoice; one that was already seen or billed earlier stays as it is."""
        key, link = invoice["key"], invoice.get("link")
        if key in self._done or not link or example.does is Does.NONE:
            return
        if invoice["status"] == "sent" and example.asks and key not in self._asked and not invoice["cases"]:
            self._asked.add(key)
            await self._answer("GET", link)
            await self._answer("POST", f"{link}/change-request", example.asks)
        elif self._may_end(example, invoice):
            self._done.add(key)
            await self._end(example, link)

    def _may_end(self, example: Example, invoice: dict[str, Any]) -> bool:
        """He asked for nothing, or has our answer to it; what is left to others ends with them."""
        if example.is_left:
            return False
        if not example.asks:
            return bool(invoice["status"] == "sent")
        answered = [case["status"] != "open" for case in invoice["cases"]]
        return bool(answered) and all(answered) and invoice["status"] in {"sent", "viewed"}

    async def _end(self, example: Example, link: str) -> None:
        seen = await self._answer("GET", link)
        if example.amends:
            seen = await self._answer("POST", f"{link}/amend", example.amends)
        if example.does is Does.APPROVE:
            await self._answer("POST", f"{link}/approve", {"version": seen["version"]})

    async def _answer(self, method: str, url: str, body: Any = None) -> Any:
        return await asked(self._client, method, url, body)


def browser() -> httpx.AsyncClient:
    """A recipient's client: no token at all."""
    return httpx.AsyncClient(headers=_BROWSER, timeout=_TIMEOUT_S, trust_env=False)
