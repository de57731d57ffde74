"""What `make drills` says at its end is what the drills found, and its exit code with it."""

import asyncio
from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from tests.drills import __main__ as command
from tests.drills import running, summary
from tests.drills.catalogue import DRILLS, Drill, Run, Wish
from tests.drills.report import SWITCHES, DrillReport


def report(name: str = "storm", **changes: object) -> DrillReport:
    found = DrillReport(name, [3], invoices=10, faults=Counter(dict.fromkeys(SWITCHES, 1)), events=Counter(applied=7))
    for field, value in changes.items():
        setattr(found, field, value)
    return found


def test_the_last_words_are_0_violations_if_and_only_if_there_are_none() -> None:
    assert summary.verdict([report(), report("kill")]).endswith(": 0 violations")
    assert summary.verdict([report(), report("kill", violations=["seed 3: two numbers"])]).endswith(": 1 violations")


def test_a_violation_is_listed_and_ends_with_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert command._told([report(violations=["seed 3: two numbers"])], whole=True) == 1  # noqa: SLF001
    told = capsys.readouterr().out
    assert "VIOLATION  storm, seed 3: two numbers" in told
    assert told.strip().endswith("1 violations")


def test_nothing_run_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert command._told([], whole=False) == 1  # noqa: SLF001
    assert capsys.readouterr().out


def test_a_fault_switch_that_no_drill_used_is_a_violation_of_a_whole_run(capsys: pytest.CaptureFixture[str]) -> None:
    lacking = report(faults=Counter(dict.fromkeys(SWITCHES[1:], 1)))
    assert command._told([lacking], whole=True) == 1  # noqa: SLF001
    assert f"fault switches not used: {SWITCHES[0]}" in capsys.readouterr().out


def test_the_table_names_seeds_faults_by_kind_and_events_by_fate() -> None:
    out = StringIO()
    runs = [report("simulation", seeds=[seed], faults=Counter(error=2)) for seed in range(1, 21)]
    summary.show(Console(file=out, width=150), [DrillReport.merged(runs)])
    assert "1-20" in out.getvalue()
    assert "40 error" in out.getvalue()
    assert "140 applied" in out.getvalue()


def test_a_report_survives_its_way_between_processes() -> None:
    whole = report(facts={"posts": "55 000"}, violations=["one"])
    assert DrillReport.from_json(whole.to_json()) == whole


def test_every_year_has_a_seed_of_its_own_and_can_be_repeated_alone() -> None:
    simulation = next(drill for drill in DRILLS if drill.yearly)
    runs = simulation.runs(Wish(years=3, invoices=30, seed=5))
    assert [run.seed for run in runs] == [5, 6, 7]
    alone = simulation.runs(Wish(years=1, invoices=10, seed=6))
    assert [run.arguments for run in alone] == [runs[1].arguments]
    assert runs[1].again == 'make drills ARGS="--only simulation --seed 6 --years 1 --invoices 10 --minutes 5"'


async def test_a_run_that_dies_without_a_report_is_a_violation_that_says_how_to_repeat_it() -> None:
    run = Run("no-such-drill", {"seed": 9}, "make drills ARGS=...")
    found = await running.report_of(run, lambda _: None)
    assert found.seeds == [9]
    assert len(found.violations) == 1
    assert "seed 9: it ended with code" in found.violations[0]
    assert found.violations[0].endswith("(again: make drills ARGS=...)")


async def test_an_interrupt_stops_the_run_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[asyncio.subprocess.Process] = []
    is_on = asyncio.Event()
    listen = running._listen  # noqa: SLF001

    async def watched(process: asyncio.subprocess.Process, *others: object) -> None:
        started.append(process)
        is_on.set()
        await listen(process, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "_listen", watched)
    task = asyncio.create_task(running.report_of(Run("storm", {"seed": 1}, ""), lambda _: None))
    async with asyncio.timeout(20):
        await is_on.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert started[0].returncode is not None


def test_a_drill_that_is_not_there_is_not_run() -> None:
    assert not Drill("no_such_drill", "").exists
