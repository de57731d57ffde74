"""The storm: every event five times, shuffled over all invoices, a tenth of all posts forged, Temporal gone meanwhile.

One world is led to the moment where every invoice is issued; its recipients then act while webhooks are held back, so
that the events are a fixed set of which we know nothing. The world is stopped and its directory copied. One copy hears
every event once, in order; the other hears the storm, and its Temporal server is killed in the middle of it and comes
back `outage_s` later. When both are at rest, the whole state of one must be that of the other, byte for byte
(tests/drills/export.py says what is compared, and names what is left out). In the storm every genuine post must be
answered 202, every forged one 401, and of an event's copies at most one be new.

Long version: `drill(invoices=500, seed=1, outage_s=60)`, 20 events for each invoice. Short: tests/drills/test_storm.py.
"""

import asyncio
import difflib
import json
import random
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook

from audit.sources import Sources
from billing.record import Fate
from records.session import Database
from records.sql import table
from records.tables import EventRow
from records.tokens import Scope
from tests.drills import cluster as of_cluster
from tests.drills.audited import findings
from tests.drills.export import exported
from tests.drills.report import DrillReport
from tests.drills.storm_events import Event, Life, act, all_events, life, raw
from tests.drills.world import Engine, copied, world
from tests.stack import WEBHOOK_SECRET, Stack, assert_eventually

COPIES: Final = 5
FORGED: Final = 0.1
# Of all posts.
AT_ONCE: Final = 16
TRIES: Final = 3
OUTAGE_AT: Final = 0.08
# Of all posts: a third of the events has been heard once by then, most of the rest is first heard in the outage.
PATIENCE_S: Final = 900.0
SHOWN: Final = 6
# Lines of a difference of each kind; more would hide the first.
DIFFERS: Final = "the storm's state is not that of the ordered delivery"
_FORGER: Final = "whsec_" + b64encode(b"a secret that nobody gave to anybody").decode()
_V = table(EventRow)


@dataclass(frozen=True)
class Post:
    """One request to the door. `event_id` is empty where it is forged."""

    body: bytes
    signed_as: str
    secret: str
    event_id: str = ""
    age: timedelta = timedelta()
    sent: bytes = b""

    @property
    def is_forged(self) -> bool:
        return not self.event_id

    def request(self) -> tuple[bytes, dict[str, str]]:
        at = datetime.now(UTC) - self.age
        headers = {
            "webhook-id": self.signed_as,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(self.signed_as, at, self.body.decode()),
        }
        return self.sent or self.body, headers


@dataclass
class Heard:
    """What the door answered."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    created: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    while_away: int = 0
    is_away: bool = False

    def note(self, post: Post, answer: httpx.Response) -> None:
        self.statuses["forged" if post.is_forged else "genuine", answer.status_code] += 1
        if answer.status_code == httpx.codes.ACCEPTED and answer.json()["created"]:
            self.created[post.event_id] += 1
            self.while_away += self.is_away

    def violations(self) -> list[str]:
        wanted = {"genuine": 202, "forged": 401}
        wrong = [
            f"{count} {kind} posts were answered {status}, not {wanted[kind]}"
            for (kind, status), count in sorted(self.statuses.items())
            if status != wanted[kind]
        ]
        return wrong + [f"{one} was stored as new {count} times" for one, count in self.created.items() if count > 1]


@dataclass(frozen=True)
class Prepared:
    """What every copy of the world is led through: its recipients, the events of the storm, and what was mailed."""

    lives: Sequence[Life]
    events: Sequence[Event]
    mails: Sequence[Message]

    @property
    def keys(self) -> list[str]:
        return sorted(one.key for one in self.lives)

    @property
    def ends(self) -> dict[str, str]:
        return {one.key: one.ends for one in self.lives if one.ends != "open"}


async def drill(*, invoices: int = 500, seed: int = 1, outage_s: float = 60.0, cluster: bool = False) -> DrillReport:
    """Violations: an answer that is not the one it should be, a state that differs, an invoice that does not end."""
    began, report = time.monotonic(), DrillReport("storm", [seed], invoices=invoices)
    with tempfile.TemporaryDirectory(prefix="billhook-storm-") as name:
        folder = Path(name)
        ready = await _prepared(folder / "base", invoices, seed, report)
        _say(f"{len(ready.events)} events for {invoices} invoices")
        ordered = await _ordered(await copied(folder / "base", folder / "ordered"), ready)
        posts = storm_of(ready.events, random.Random(seed))
        there = await copied(folder / "base", folder / "stormy")
        if cluster:
            with of_cluster.postgres() as url:
                await _moved(there, url)
                stormy = await _stormy(there, ready, posts, report, outage_s, url=url)
        else:
            stormy = await _stormy(there, ready, posts, report, outage_s)
    report.violations += differences(ordered, stormy)
    report.seconds = time.monotonic() - began
    return report


async def _prepared(folder: Path, count: int, seed: int, report: DrillReport) -> Prepared:
    """The world in `folder` is left stopped, every invoice issued, every recipient through."""
    draw = random.Random(seed)
    async with world(folder) as (stack, _):
        keys = await _issued(stack, count, draw)
        await _revised(stack, [key for key in keys if draw.random() < 0.25])
        await _at_rest(stack, {})
        await stack.faults(webhook_drop_rate=1.0)
        lives = [life(key, draw) for key in keys]
        await act(stack, lives, draw)
        report.faults.update((await stack.jupiter.get("/_sandbox/injected")).json())
        return Prepared(lives, all_events(await stack.truth(), draw), stack.mailbox.mails)


async def _issued(stack: Stack, count: int, draw: random.Random) -> list[str]:
    """Several invoices share a customer, so that their amendments meet in one record."""
    customers = [await stack.customer(f"customer-{number}") for number in range(max(2, count // 5))]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with gate:
            key = await stack.milestone(
                project_id=f"project_{number}", customer_id=customers[number % len(customers)],
                event_id=f"evt_trigger_{number}", amount=f"{1000 + number}.{number % 100:02d}",
                deal_id=f"deal_{number // 2}" if number % 3 else None,
            )  # fmt: skip
            await stack.until(key, "sent", patience_s=PATIENCE_S)
            return key

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def _revised(stack: Stack, keys: Sequence[str]) -> None:
    """These go on to a second version, so that stale approvals have something to be stale about."""
    approver = await stack.token("dana", Scope.APPROVE, Scope.READ)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(key: str) -> None:
        async with gate:
            await stack.recipient(key, "change-request", message="five percent less")
            case = (await stack.until(key, "change_requested"))["cases"][0]
            path, patch = f"/invoices/{key}/change-requests/{case['id']}/decision", {"type": "percent", "value": "5"}
            body: dict[str, Any] = {"action": "accept", "note": "agreed", "patch": {"discount": patch}}
            assert (answer := await stack.api.post(path, json=body, headers=approver)).is_success, answer.text
            seen = await stack.until(key, "awaiting_approval", "sent")
            if seen["status"] == "awaiting_approval":
                body = {"action": "approve", "revision": seen["revision"], "note": "agreed"}
                answer = await stack.api.post(f"/invoices/{key}/decision", json=body, headers=approver)
                assert answer.is_success, answer.text
            await stack.until(key, "sent")

    await asyncio.gather(*(one(key) for key in keys))


async def _ordered(folder: Path, ready: Prepared) -> str:
    """The state after every event came once, one after another."""
    heard = Heard()
    async with world(folder) as (stack, _), _door(str(stack.api.base_url)) as door:
        for event in ready.events:
            await _send(door, _genuine(event), heard)
        assert not heard.violations(), heard.violations()
        _say("ordered delivery done; waiting for rest")
        await _at_rest(stack, ready.ends)
        return await exported(stack, ready.keys)


async def _moved(folder: Path, url: str) -> None:
    source, target = Database(f"sqlite:///{folder / 'billhook.db'}"), Database(url)
    try:
        await of_cluster.moved(source, target)
    finally:
        await source.close()
        await target.close()


async def _stormy(
    folder: Path, ready: Prepared, posts: list[Post], report: DrillReport, outage_s: float, *, url: str = ""
) -> str:
    """With `url` on that PostgreSQL, a second API process hears every other post, two more workers are at it."""
    heard, changes = Heard(), {"database_url": url} if url else {}
    async with AsyncExitStack() as around:
        stack, engine = await around.enter_async_context(world(folder, **changes))
        doors = [await around.enter_async_context(_door(str(stack.api.base_url)))]
        if url:
            second = await around.enter_async_context(of_cluster.beside(_environment(stack, engine), folder))
            doors.append(await around.enter_async_context(_door(second)))
        began = time.monotonic()
        await _blown(doors, posts, heard, engine, outage_s)
        report.facts["posts a second"] = f"{len(posts) / (time.monotonic() - began):.0f}"
        report.violations += heard.violations()
        if outage_s and not heard.while_away:
            report.violations.append("no new event was accepted while Temporal was away: the outage proved nothing")
        _say(f"{len(posts)} posts done; waiting for rest")
        try:
            await _at_rest(stack, ready.ends)
        except AssertionError as error:
            report.violations.append(f"the storm does not come to rest: {error}")
        report.events.update(await _fates(stack))
        state = await exported(stack, ready.keys)
        report.violations += await _audited(stack, ready)
    _count(report, posts, heard, outage_s)
    return state


def _environment(stack: Stack, engine: Engine) -> dict[str, str]:
    """What makes another process one of the same Billhook."""
    settings = stack.settings
    secrets = {"JUPITER_API_KEY": settings.jupiter_api_key, "WEBHOOK_SECRETS": settings.webhook_secrets}
    names = ("data_dir", "database_url", "jupiter_url", "public_url", "smtp_url", "task_queue")
    found = {name.upper(): str(getattr(settings, name)) for name in names}
    found |= {name: value.get_secret_value() for name, value in secrets.items() if value}
    return {f"BILLHOOK_{name}": value for name, value in found.items()} | {"TEMPORAL_ADDRESS": engine.address}


async def _audited(stack: Stack, ready: Prepared) -> list[str]:
    as_of, truth = datetime.now(UTC), await stack.truth()
    known = {event["id"] for event in truth["events"]}
    # What was signed and sent besides counts as the API's own.
    truth["events"] += [event | {"deliveries": []} for event in ready.events if event["id"] not in known]
    mails = [*ready.mails, *stack.mailbox.mails]
    return await findings(Sources(stack.database, truth, stack.settings.ledger, mails, stack.client, as_of))


def storm_of(events: Sequence[Event], draw: random.Random) -> list[Post]:
    """Every event `COPIES` times and forgeries of them, shuffled over everything."""
    posts = [_genuine(event) for event in events for _ in range(COPIES)]
    forgeries = round(len(posts) * FORGED / (1 - FORGED))
    posts += [_forged(draw.choice(events), draw) for _ in range(forgeries)]
    draw.shuffle(posts)
    return posts


def _genuine(event: Event) -> Post:
    return Post(raw(event), event["id"], WEBHOOK_SECRET, event_id=event["id"])


def _forged(event: Event, draw: random.Random) -> Post:
    """What a liar may send: always to the harm of an invoice that exists, were it believed."""
    lie = {**event, "type": "invoice.approved", "data": {**event["data"], "version": 9, "status": "approved"}}
    fresh = {**lie, "id": f"evt_forged_{draw.getrandbits(48):x}"}
    return draw.choice(
        [
            Post(raw(lie), event["id"], _FORGER),
            Post(raw(fresh), fresh["id"], _FORGER),
            # A genuine signature above another body, and under another id.
            Post(raw(event), event["id"], WEBHOOK_SECRET, sent=raw(lie)),
            Post(raw(fresh), event["id"], _FORGER, sent=raw(event)),
            # Overheard ten minutes ago.
            Post(raw(event), event["id"], WEBHOOK_SECRET, age=timedelta(minutes=10)),
        ]
    )


@asynccontextmanager
async def _door(address: str) -> AsyncIterator[httpx.AsyncClient]:
    # Given up sooner than the servers' 5 s: a connection that both sides give up at once takes a request with it.
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE, keepalive_expiry=2)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        yield client


async def _send(door: httpx.AsyncClient, post: Post, heard: Heard) -> None:
    """What is not answered is sent again, as the API does; a connection that the server closes while a post is on its
    way is no rarity where it has stood idle on a busy machine."""
    for _ in range(TRIES):
        body, headers = post.request()
        try:
            answer = await door.post("/webhooks/jupiter", content=body, headers=headers)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            heard.unanswered += 1
        else:
            heard.note(post, answer)
            return
    raise AssertionError(f"{post.signed_as} was not answered in {TRIES} tries")


async def _blown(
    doors: Sequence[httpx.AsyncClient], posts: list[Post], heard: Heard, engine: Engine, outage_s: float
) -> None:
    """All posts, `AT_ONCE` at a time; at their `OUTAGE_AT` Temporal is killed, to come back while they still blow."""
    left = iter(enumerate(posts))
    outage: list[asyncio.Task[None]] = []

    async def blow() -> None:
        for number, post in left:
            if outage_s and number == int(len(posts) * OUTAGE_AT):
                outage.append(asyncio.create_task(_outage(engine, outage_s, heard)))
            await _send(doors[number % len(doors)], post, heard)

    await asyncio.gather(*(blow() for _ in range(AT_ONCE)))
    await asyncio.gather(*outage)


async def _outage(engine: Engine, seconds: float, heard: Heard) -> None:
    await engine.kill()
    heard.is_away = True
    _say(f"Temporal killed; back in {seconds:g} s")
    await asyncio.sleep(seconds)
    heard.is_away = False
    await engine.start()
    _say("Temporal is back")


async def _at_rest(stack: Stack, ends: dict[str, str]) -> None:
    """No event on its way, every invoice that ends at its end, no workflow in the middle of a step."""

    async def look() -> str:
        under_way = {fate: count for fate, count in (await _fates(stack)).items() if fate in {"pending", "delivered"}}
        return f"events {under_way}" if under_way else await _unended(stack, ends) or await _busy(stack)

    async def is_so() -> bool:
        trouble.append(await look())
        return not trouble[-1]

    trouble: list[str] = []
    try:
        await assert_eventually(is_so, PATIENCE_S)
    except AssertionError:
        raise AssertionError(trouble[-1]) from None


async def _fates(stack: Stack) -> Counter[str]:
    async with stack.database.session() as session:
        rows = await session.execute(select(_V.c.fate, func.count()).group_by(_V.c.fate))
        return Counter({Fate(fate).value: count for fate, count in rows})


async def _unended(stack: Stack, ends: dict[str, str]) -> str:
    for key, end in ends.items():
        found = await stack.invoice(key)
        if found["status"] != end:
            return f"{key} is {found['status']}, not {end}: {found['waiting_for']}"
    return ""


async def _busy(stack: Stack) -> str:
    async for running in stack.client.list_workflows("ExecutionStatus = 'Running'"):
        described = (await stack.client.get_workflow_handle(running.id).describe()).raw_description
        if described.pending_activities or described.HasField("pending_workflow_task"):
            return f"{running.id} is in the middle of a step"
    return ""


def differences(ordered: str, stormy: str) -> list[str]:
    """None, or one violation that begins with `DIFFERS` and shows the first lines of each kind."""
    if ordered.encode() == stormy.encode():
        return []
    told = difflib.unified_diff(ordered.splitlines(), stormy.splitlines(), "ordered", "storm", lineterm="", n=0)
    lines = [line for line in told if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    by_kind = {kind: [line for line in lines if kind_of(line) == kind] for kind in sorted(set(map(kind_of, lines)))}
    kinds = ", ".join(f"{len(of_kind)} {kind}" for kind, of_kind in by_kind.items())
    return [f"{DIFFERS}: {kinds}\n" + "\n".join(line for of_kind in by_kind.values() for line in of_kind[:SHOWN])]


def kind_of(line: str) -> str:
    """Which table, or what else, a line of a difference is about."""
    return str(json.loads(line[1:])[0])


def _count(report: DrillReport, posts: Sequence[Post], heard: Heard, outage_s: float) -> None:
    forged = sum(post.is_forged for post in posts)
    report.faults["post duplicated"] += len(posts) - forged - len({post.event_id for post in posts if post.event_id})
    report.faults["post shuffled"] += len(posts)
    report.faults["post forged"] += forged
    report.faults["Temporal killed"] += bool(outage_s)
    report.facts["new events accepted while Temporal was away"] = f"{heard.while_away} in {outage_s:g} s"
    answers = {f"{kind} {status}": count for (kind, status), count in sorted(heard.statuses.items())}
    report.facts["posts that were not answered, and sent again"] = str(heard.unanswered)
    report.facts["answers"] = json.dumps(answers)


def _say(words: str) -> None:
    sys.stderr.write(f"storm: {words}\n")
