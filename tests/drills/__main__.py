"""`make drills`: the long version of every drill, each run a process of its own, and one verdict over all of them.

Progress goes to standard error; the table and the verdict to standard output. Exit code 0 with `0 violations`, else 1.
The drills share this machine's cores, so they run one after another; only the simulated years, which need no ports and
are bound by one core each, run two at a time.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from starter.embedded.up import run_until_signal
from tests.drills import summary
from tests.drills.catalogue import DRILLS, Drill, Run, Wish
from tests.drills.report import DrillReport
from tests.drills.running import report_of

SIDE_BY_SIDE: Final = 2
_INTERRUPTED: Final = 130
_NARROWEST: Final = 150
# Piped into a file there is no terminal to fit into.


def main(  # noqa: PLR0917 - Typer passes options by name
    only: Annotated[list[str] | None, typer.Option(help="Run these drills only; may be given several times.")] = None,
    years: Annotated[int, typer.Option(min=1, help="Simulated company-years.")] = Wish.years,
    invoices: Annotated[int, typer.Option(min=10, help="Invoices, shared out among the drills.")] = Wish.invoices,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long processes are killed.")] = Wish.minutes,
    seed: Annotated[int, typer.Option(help="The first seed; the simulated years count up from it.")] = Wish.seed,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="storm and kill on PostgreSQL, with two APIs and three workers.")
    ] = False,
) -> None:
    """Run the drills and say what they found."""
    wish = Wish(years=years, invoices=invoices, minutes=minutes, seed=seed, cluster=cluster)
    codes: list[int] = []
    run_until_signal(_work(_chosen(only or []), wish, codes))
    # No code: it was interrupted, which is no verdict.
    sys.exit(codes[0] if codes else _INTERRUPTED)


def _chosen(only: Sequence[str]) -> list[Drill]:
    unknown = set(only) - {drill.name for drill in DRILLS}
    if unknown:
        known = ", ".join(drill.name for drill in DRILLS)
        raise typer.BadParameter(f"no drill {', '.join(sorted(unknown))}; there are {known}", param_hint="--only")
    return [drill for drill in DRILLS if drill.exists and (not only or drill.name in only)]


async def _work(drills: Sequence[Drill], wish: Wish, codes: list[int]) -> int:
    with _progress() as progress:
        reports = [await _drilled(drill, wish, progress) for drill in drills]
    codes.append(_told(reports, whole={drill.name for drill in drills} == {drill.name for drill in DRILLS}))
    return codes[0]


async def _drilled(drill: Drill, wish: Wish, progress: Progress) -> DrillReport:
    runs = drill.runs(wish)
    task = progress.add_task(drill.name, total=len(runs), words=drill.proves)
    slots = asyncio.Semaphore(SIDE_BY_SIDE if drill.yearly else 1)

    async def one(run: Run) -> DrillReport:
        async with slots:
            report = await report_of(run, lambda line: _heard(progress, task, line))
        progress.advance(task)
        return report

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(run)) for run in runs]
    whole = DrillReport.merged(task.result() for task in tasks)
    progress.update(task, words=f"{len(whole.violations)} violations")
    return whole


def _heard(progress: Progress, task: TaskID, line: str) -> None:
    """A line of a run's progress: on a terminal in the bar's place, in a log as a line."""
    progress.update(task, words=line[:100])
    if not progress.console.is_terminal:
        progress.console.print(line, soft_wrap=True, markup=False, highlight=False)


def _told(reports: Sequence[DrillReport], *, whole: bool) -> int:
    """Prints the summary; the exit code. In a whole run a switch that nobody used is a violation too."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _NARROWEST)
    if not reports:
        console.print("no drill was run")
        return 1
    missing = summary.unused_switches(reports) if whole else []
    if missing:
        reports[0].violations.append(f"no drill used the fault switches {', '.join(missing)}")
    summary.show(console, reports)
    console.print(summary.switches_line(reports), soft_wrap=True, highlight=False)
    console.print(summary.verdict(reports), soft_wrap=True, highlight=False)
    return 1 if any(report.violations for report in reports) else 0


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.completed}/{task.total}"),
               TimeElapsedColumn(), TextColumn("{task.fields[words]}"))  # fmt: skip
    return Progress(*columns, console=Console(stderr=True))


if __name__ == "__main__":
    typer.run(main)
