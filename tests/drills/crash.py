"""Crash points: the worker dies around every activity, and every invoice ends as if it had not.

Each walk of tests/paths is taken once undisturbed, which also finds every point that a worker passes on it: for each
execution of each activity before it began, with our record saved, with its effect taken, and with all done but nothing
reported. Then it is taken again, on a stack of its own, with a worker process that kills itself (SIGKILL) at one such
point and is started anew. Once the invoice has ended, everything that is left is compared with the undisturbed walk:
our records, the sandbox's truth, the journal, the workflow's status and the mails; then the auditor looks. Times and
ids are left out of the comparison, nothing else.

Long version: `drill(invoices=200, seed=1)`: so many deaths, each activity and point at least once and the others drawn;
`invoices` from 2,000 on takes them all. Nothing of the product is changed for it: the engine takes a worker for dead
after the production's 30 s, so plays run side by side and their waits hide behind one another. Every second play runs
without the worker's cache of workflows. The short version (test_crash.py) plays a few and shortens the 30 s alone.
"""

import asyncio
import difflib
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from temporalio import activity

import worker
from activities import signatures
from audit.auditor import audit
from audit.sources import Sources
from tests.drills.dying import Death, Orders, Point, kept_alive
from tests.drills.export import exported
from tests.drills.report import DrillReport
from tests.paths.engines import dev_server, engine
from tests.paths.walks import WALKS, Engine, Walk
from tests.paths.world import World, opened

AT_ONCE: Final = 12
# Idle nearly all of the time; more would make the beginning of each slow enough to be taken for dead.
PATIENCE_S: Final = 240.0
SHOWN: Final = 12
LEFT_OUT: Final = {
    "cancelled_drafting": "what an API that answers errors was asked before the cancel is chance",
    "abandoned_after_approval": "its end contradicts the API, which is for the auditor to find",
    "cancel_refused": "a race of the recipient's approval against our cancel",
}
"""Walks that end otherwise each time, or badly on purpose."""
MEDDLED_WITH: Final = frozenset({"continued_awaiting_approval", "continued_parked"})
"""Until their history is long enough; how often that is, and with it how often an activity runs, is chance."""
_WALKS: Final = [walk for walk in WALKS.values() if walk.name not in LEFT_OUT and walk.engine is not Engine.SKIPS_TIME]
"""On the real server: the test server that skips time does not take a dead worker's tasks back."""
_MAIL: Final = '["mail"'
_COURTESY: Final = re.compile(r'^\["mails", .*"kind": "(?!link")')
"""A mail that says that something waits gives way to news, and a death leaves time for them; the link never does."""
_SENT: Final = re.compile(r', "sent_at": (null|"TIME")')
_INTRUDER: Final = '"actor": "mallory"'
"""How often he has to try until a history is long enough is chance."""
_CHANCE: Final = (
    (r"127\.0\.0\.1:\d+", "HOST"),
    (r"/i/[\w-]{20,}", "/i/TOKEN"),
    (r"\b([a-z]{2,6})_[0-9a-f]{12,}\b", r"\1_ID"),
    (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"\b[0-9a-f]{32,}\b", "HASH"),
    (r"\"held_ms\": \d+", "HELD"),
    (r'(^\["trail".*"position": )\d+', r"\1PLACE"),  # follows the intruder's; that the chain is whole says the audit
    # milliseconds that a run waited
    (r"\b20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)?)?", "TIME"),
)


@dataclass(frozen=True)
class Left:
    """What a walk leaves: one line for each row, posting, workflow and invoice at the API; the mails' ids; what the
    auditor says of it."""

    lines: tuple[str, ...]
    mails: Counter[str]
    audit: tuple[str, ...]


@dataclass(frozen=True)
class Play:
    """One walk with one death, or none."""

    walk: Walk
    death: Death | None = None
    cached: bool = True

    def __str__(self) -> str:
        cache = "" if self.cached else ", no cache"
        return f"{self.walk.name}: {self.death or 'undisturbed'}{cache}"


@dataclass
class Stage:
    """What all plays share. `address` is the engine's, for walks that need no time skipped."""

    address: str
    folder: Path
    patience: timedelta | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    count: int = 0

    def room(self) -> Path:
        self.count += 1
        room = self.folder / str(self.count)
        room.mkdir()
        return room


async def drill(*, invoices: int = 200, seed: int = 1) -> DrillReport:
    """The long version: as many deaths as `invoices`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with dev_server({}) as address:
            return await run(Stage(address, Path(folder)), _WALKS, seed, lambda every: drawn(every, invoices, seed))


async def run(
    stage: Stage, walks: Sequence[Walk], seed: int, choose: Callable[[list[Play]], Iterable[Play]]
) -> DrillReport:
    """`walks` undisturbed, then with the deaths that `choose` takes of all that are possible."""
    began = time.monotonic()
    report = DrillReport("crash", [seed])
    undisturbed = await _together(stage, [Play(walk) for walk in walks], report)
    for play, (left, _) in undisturbed.items():
        report.violations += [f"{play}: the audit says {words}" for words in left.audit]
    every = [
        Play(play.walk, death, cached=number % 2 == 0)
        for play, (_, passed) in undisturbed.items()
        for number, death in enumerate(sorted(passed))
    ]
    chosen = list(choose(every))
    disturbed = await _together(stage, chosen, report)
    for play, (left, _) in disturbed.items():
        report.violations += _differences(play, undisturbed[Play(play.walk)][0], left)
    if len(walks) == len(_WALKS):
        report.violations += _not_reached(every)
    report.facts["deaths"] = f"{len(disturbed)} of {len(every)} possible, on {len(undisturbed)} walks"
    report.seconds = time.monotonic() - began
    return report


def drawn(every: list[Play], count: int, seed: int) -> list[Play]:
    """Each (activity, point) once, then others, all by the seed."""
    shuffled = random.Random(seed).sample(every, len(every))
    first: dict[tuple[str, Point], Play] = {}
    for play in shuffled:
        assert play.death is not None
        first.setdefault((play.death.activity, play.death.point), play)
    rest = [play for play in shuffled if play not in first.values()]
    return [*first.values(), *rest][: max(count, len(first))]


def _not_reached(every: Iterable[Play]) -> list[str]:
    """An activity on no walk is one whose crash nobody has looked at."""
    reached = {play.death.activity for play in every if play.death}
    return [f"no walk of tests/paths reaches the activity {name}" for name in sorted(activity_names() - reached)]


def activity_names() -> set[str]:
    """All that a worker offers."""
    nothing: Any = None
    parts = worker.Parts(nothing, nothing, nothing, nothing, nothing, nothing)
    offered = [*parts.activities(), *parts.run_activities(nothing, "")]
    return {activity._Definition.must_from_callable(one).name or "" for one in offered}  # noqa: SLF001 - the SDK has no other way


Results = dict[Play, tuple[Left, set[Death]]]


async def _together(stage: Stage, plays: Sequence[Play], report: DrillReport) -> Results:
    found: Results = {}

    async def one(play: Play) -> None:
        async with stage.slots:
            try:
                found[play] = await _played(stage, play, report)
            except Exception as error:  # noqa: BLE001 - one play's trouble is a finding and ends no other
                report.violations.append(f"{play}: {type(error).__name__} {str(error)[:2000]}")
        sys.stderr.write(f"crash: {len(found)} of {len(plays)}: {play}\n")

    async with asyncio.TaskGroup() as group:
        for play in plays:
            group.create_task(one(play))
    return found


async def _played(stage: Stage, play: Play, report: DrillReport) -> tuple[Left, set[Death]]:
    folder = stage.room()
    async with AsyncExitStack() as around:
        address, skip = stage.address, None
        if play.walk.engine is not Engine.DEV_SERVER:
            address, skip = await around.enter_async_context(engine(play.walk.engine))
        stack = await around.enter_async_context(opened(address, folder, stage.opening, worker_options=None))
        cached = worker.CACHED_WORKFLOWS if play.cached else 0
        orders = Orders(stack.settings, address, folder, cached, stage.patience)
        if play.death:
            orders.arm(play.death)
        watch = await around.enter_async_context(kept_alive(orders))
        world = World(stack, PATIENCE_S, skip)
        await play.walk.on(world)
        report.invoices += len(world.keys)
        if play.death:
            if orders.armed() is not None and play.walk.name in MEDDLED_WITH:
                report.faults["never came to the point"] += 1
                return await _left(world), orders.passed()
            assert orders.armed() is None, "the worker never came to the point where it was to die"
            assert watch.exits == [-signal.SIGKILL], f"the worker ended otherwise, by exit codes {watch.exits}"
            report.faults["worker killed"] += 1
        return await _left(world), orders.passed()


async def _left(world: World) -> Left:
    await world.settled()
    stack = world.stack
    lines = (await exported(stack, world.keys)).splitlines()
    mails: Counter[str] = Counter(str(mail["Message-ID"]) for mail in stack.mailbox.mails)
    sources = Sources(
        stack.database,
        truth=await stack.truth(),
        ledger=stack.settings.ledger,
        mails=stack.mailbox.mails,
        client=stack.client,
    )
    found = [f"{invariant} {one.subject}: {one.evidence}" for invariant, one in (await audit(sources)).violations]
    plain = sorted(_plain(line, world.run) for line in lines if not line.startswith(_MAIL))
    return Left(tuple(plain), mails, tuple(found))


def _plain(line: str, run: str) -> str:
    """Without what differs between any two runs."""
    line = line.replace(run, "RUN")
    for pattern, word in _CHANCE:
        line = re.sub(pattern, word, line)
    return line


def _differences(play: Play, undisturbed: Left, left: Left) -> list[str]:
    found = [f"{play}: the audit says {words}" for words in left.audit]
    told = difflib.unified_diff(_compared(undisturbed), _compared(left), "undisturbed", "crashed", lineterm="", n=0)
    lines = [line for line in told if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    if lines:
        found.append(f"{play}: it ended otherwise, {len(lines)} lines:\n" + "\n".join(lines[:SHOWN]))
    found += [f"{play}: {words}" for words in _mails(undisturbed, left)]
    copies = left.mails.total() - len(left.mails)
    if copies > _copies_allowed(play):
        found.append(f"{play}: {copies} mails came a second time")
    return found


def _compared(left: Left) -> list[str]:
    return [line for line in left.lines if not _COURTESY.match(line) and _INTRUDER not in line]


def _mails(undisturbed: Left, left: Left) -> list[str]:
    """None more than without the death, and of those that give way to nothing none fewer."""
    before, after = _courtesies(undisturbed), _courtesies(left)
    found = [f"a mail that none was without the death: {line}" for line in sorted(after.keys() - before.keys())]
    gave_way = sum(not after.get(line) for line in before)
    fewer = len(undisturbed.mails) - len(left.mails)
    if not 0 <= fewer <= gave_way:
        found.append(f"{len(left.mails)} mails, {len(undisturbed.mails)} undisturbed, {gave_way} gave way to news")
    return found


def _courtesies(left: Left) -> dict[str, bool]:
    """The rows of such mails, and whether we noted that they were sent."""
    return {_SENT.sub("", line): "null" not in _SENT.findall(line) for line in left.lines if _COURTESY.match(line)}


def _copies_allowed(play: Play) -> int:
    """A worker that dies after the server took the mail and before we noted it sends it again, under the same
    Message-ID (activities/mail.py): SMTP offers no better."""
    death = play.death
    return int(death is not None and (death.activity, death.point) == (signatures.SEND_MAIL.name, Point.EFFECT))
