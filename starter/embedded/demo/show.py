"""The end of the demo as a person reads it: a line per invoice, then the totals of the three books."""

import re
from decimal import Decimal
from typing import Any, Final, Literal

from rich.console import Console
from rich.table import Table

from audit.report import AuditReport
from billing.money import decimals_of
from starter.embedded.demo.compare import Totals

_ROOMY: Final = 130
# Columns that the longest row of the month needs.
_NARROW: Final = 22
# An "invoice:" and the id of its project or subscription.


def invoices(console: Console, found: list[dict[str, Any]]) -> None:
    """Key, amount, why a human was asked, versions, amended fields, what became of a change request, state."""
    table = Table(title="A month of billing", title_justify="left")
    for name in ("invoice", "amount", "asked a human because", "versions", "amended", "change asked", "state"):
        side: Literal["left", "right"] = "right" if name in {"amount", "versions"} else "left"
        table.add_column(name, justify=side, overflow="fold", no_wrap=name == "invoice")
    for one in sorted(found, key=lambda item: str(item["key"])):
        reasons = (one.get("assessment") or {}).get("reasons") or []
        amended = [name for name, value in (one.get("recipient") or {}).items() if value]
        table.add_row(
            folded(one["key"], console.width), f"{Decimal(one['total']):,f} {one['currency']}",
            ", ".join(reason["rule"] for reason in reasons), str(one["version"]), ", ".join(amended),
            ", ".join(_case(case) for case in one.get("cases") or []), one["status"],
        )  # fmt: skip
    console.print(table)


def folded(key: str, width: int) -> str:
    """A key on lines that a terminal of so many columns has room for, broken after a colon and nowhere else."""
    if width >= _ROOMY:
        return key
    lines = [""]
    for part in re.findall("[^:]+:?|:", key):
        if len(lines[-1]) + len(part) > _NARROW and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _case(case: dict[str, Any]) -> str:
    return f"{case['status']}{' in part' if case['in_part'] else ''}"


def audited(console: Console, report: AuditReport) -> None:
    """Every invariant, how much of it was looked at and what was found."""
    table = Table(title="The audit", title_justify="left")
    for name in ("", "says", "checked", "violations"):
        table.add_column(name, justify="right" if name in {"checked", "violations"} else "left")
    for one in report.checks:
        table.add_row(one.invariant, one.title, str(one.items), str(len(one.violations)))
    console.print(table)


def totals(console: Console, found: Totals) -> None:
    """Billed per currency, in the three books."""
    table = Table(title="Billed, in three books", title_justify="left")
    table.add_column("currency")
    for name in ("ours", "sandbox", "journal"):
        table.add_column(name, justify="right")
    for currency in sorted({*found.ours, *found.sandbox, *found.journal}):
        books = (found.ours, found.sandbox, found.journal)
        table.add_row(currency, *(_major(book.get(currency, 0), currency) for book in books))
    console.print(table)


def _major(minor: int, currency: str) -> str:
    return f"{Decimal(minor).scaleb(-decimals_of(currency)):,f}"
