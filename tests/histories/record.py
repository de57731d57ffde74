"""Records the history of every path anew: `make histories`, or `python -m tests.histories.record WALK...` for some.

Every walk of tests/paths is taken on the real stack, by a worker without a cache and inside the SDK's sandbox: each
workflow task is a replay from the beginning already while it is recorded. What the workflows leave goes to one file
each. When to record anew and when not: docs/histories.md.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from temporalio.client import WorkflowExecution, WorkflowHistory

from billing import queues
from tests.histories import history
from tests.paths.engines import engine
from tests.paths.walks import WALKS, Engine, Walk
from tests.paths.world import World, opened

AT_ONCE: Final = 3
PATIENCE_S: Final = 120.0
_MAIN: Final = "InvoiceWorkflow"


async def record(walks: Sequence[Walk], told: Callable[[str], None]) -> None:
    """Raises what went wrong on the first walk that did not end as it says, when the others under way have ended."""
    opening, slots = asyncio.Lock(), asyncio.Semaphore(AT_ONCE)

    async def one(walk: Walk) -> None:
        async with slots:
            for path in await _recorded(walk, opening):
                told(path.name)

    async with asyncio.TaskGroup() as group:
        for walk in walks:
            group.create_task(one(walk))


async def _recorded(walk: Walk, opening: asyncio.Lock) -> list[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = {"max_cached_workflows": 0}
        async with (
            engine(walk.engine) as (address, skip),
            opened(address, Path(folder), opening, worker_options=options) as stack,
        ):
            world = World(stack, PATIENCE_S, skip)
            key = await walk.on(world)
            return [history.write(name, found) async for name, found in _left(walk, world, key)]


async def _left(walk: Walk, world: World, key: str) -> AsyncIterator[tuple[str, WorkflowHistory]]:
    """Every run of the walk's own workflow under the walk's name, and of workflows of other types under theirs too."""
    if walk.engine is Engine.SKIPS_TIME:
        # The test server keeps no list.
        yield walk.name, await world.stack.client.get_workflow_handle(key).fetch_history()
        return
    base = world.stack.settings.task_queue
    names = ", ".join(f"'{queues.name(base, queue)}'" for queue in queues.WORKFLOWS)
    runs = [run async for run in world.stack.client.list_workflows(f"TaskQueue IN ({names})")]
    for name in sorted({_name(walk, run) for run in runs if run.id == key or run.workflow_type != _MAIN}):
        alike = sorted((run for run in runs if _name(walk, run) == name and _wanted(run, key)), key=_begin)
        for number, run in enumerate(alike, start=1):
            handle = world.stack.client.get_workflow_handle(run.id, run_id=run.run_id)
            yield f"{name}-{number}" if number > 1 else name, await handle.fetch_history()


def _wanted(run: WorkflowExecution, key: str) -> bool:
    return run.id == key or run.workflow_type != _MAIN


def _name(walk: Walk, run: WorkflowExecution) -> str:
    return walk.name if run.workflow_type == _MAIN else f"{walk.name}-{run.workflow_type}"


def _begin(run: WorkflowExecution) -> float:
    return run.start_time.timestamp()


def main(names: Sequence[str]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    walks = [WALKS[name] for name in names] if names else list(WALKS.values())
    if not names:
        for old in history.paths():
            old.unlink()
    asyncio.run(record(walks, lambda name: print(name, file=sys.stderr)))  # noqa: T201 - a command's progress


if __name__ == "__main__":
    main(sys.argv[1:])
