"""The end of `make drills`: a table, what was injected and what became of it, every violation, and the verdict."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.drills.report import SWITCHES, DrillReport

COLUMNS = ("drill", "seeds", "invoices", "faults injected", "events by fate", "violations", "seconds")


def unused_switches(reports: Sequence[DrillReport]) -> list[str]:
    """The sandbox's fault switches that no drill saw at work."""
    seen = sum((report.faults for report in reports), Counter[str]())
    return [name for name in SWITCHES if not seen[name]]


def show(console: Console, reports: Sequence[DrillReport]) -> None:
    """The table, the facts that were measured, and every violation."""
    table = Table(title="Drills", title_justify="left")
    for name in COLUMNS:
        number = name in {"invoices", "violations", "seconds"}
        table.add_column(name, justify="right" if number else "left", overflow="fold", vertical="top")
    for report in reports:
        table.add_row(*_row(report))
    table.add_section()
    table.add_row(*_row(_total(reports)))
    console.print(table)
    for report in reports:
        for words, figure in report.facts.items():
            console.print(f"{report.drill}: {words}: {figure}", soft_wrap=True, markup=False, highlight=False)
    for report in reports:
        for words in report.violations:
            console.print(f"VIOLATION  {report.drill}, {words}", soft_wrap=True, markup=False, highlight=False)


def switches_line(reports: Sequence[DrillReport]) -> str:
    missing = unused_switches(reports)
    if not missing:
        return f"every fault switch used: {', '.join(SWITCHES)}"
    return f"fault switches not used: {', '.join(missing)}"


def verdict(reports: Sequence[DrillReport]) -> str:
    """The last line; ends with `0 violations` if and only if nothing was found."""
    total = _total(reports)
    events = sum(total.events.values())
    return (
        f"{len(reports)} drills, {len(total.seeds)} seeds, {total.invoices} invoices, "
        f"{sum(total.faults.values())} faults, {events} events, {total.seconds:.0f} s: "
        f"{len(total.violations)} violations"
    )


def _total(reports: Sequence[DrillReport]) -> DrillReport:
    total = DrillReport.merged(reports) if reports else DrillReport("", [])
    total.drill = "total"
    return total


def _row(report: DrillReport) -> tuple[str, ...]:
    return (
        report.drill, _seeds(report.seeds), str(report.invoices), _counted(report.faults), _counted(report.events),
        str(len(report.violations)), f"{report.seconds:.0f}",
    )  # fmt: skip


def _counted(counter: Counter[str]) -> str:
    return "\n".join(f"{count:>6} {name}" for name, count in sorted(counter.items()) if count)


def _seeds(seeds: Sequence[int]) -> str:
    """`1-20` for a row of neighbours."""
    whole = sorted(set(seeds))
    if len(whole) > 1 and whole == list(range(whole[0], whole[-1] + 1)):
        return f"{whole[0]}-{whole[-1]}"
    return ", ".join(str(seed) for seed in whole)
