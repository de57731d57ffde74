"""A change request in the terminal: present and proposed in two columns, and what it would do to the total."""

import sys
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from billing.untrusted import one_line, plain
from starter.cli.output import data, field

_WIDE: Final = 120
# Piped into a file there is no terminal to fit into.
_NOTHING: Final = "-"


def show_case(case: dict[str, Any]) -> None:
    """The case, the recipient's words, and the comparison where anything is proposed."""
    for name in ("key", "id", "status", "version", "owner", "opened_at", "remind_at", "deadline", "breached_at",
                 "first_response_at", "resolved_at", "answer"):  # fmt: skip
        if case.get(name):
            field(name, case[name], 17)
    data("the recipient writes")
    for line in plain(case["message"]).split("\n"):
        data(f"  | {line}")
    compared = case.get("comparison")
    if compared is None:
        data("nothing is proposed but in words; accept with --patch FILE, or decline")
        return
    _print(_table(compared))
    data(f"can be accepted  {', '.join(compared['parts']) or 'nothing'}")
    for one in compared["refused"]:
        data(f"cannot           {one['part']}: {one['cause']}")


def _print(table: Table) -> None:
    width = None if sys.stdout.isatty() else _WIDE
    Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False).print(table)


def _table(compared: dict[str, Any]) -> Table:
    currency = compared["currency"]
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("", "present", "proposed"):
        table.add_column(name, overflow="fold", ratio=1 if name else None)
    table.add_column(f"effect in {currency}", justify="right", no_wrap=True)
    for row in compared["line_items"]:
        _add(table, row["difference"], _line(row["present"]), _line(row["proposed"]), row["effect"])
    row = compared["discount"]
    _add(table, "discount", _discount(row["present"]), _discount(row["proposed"]), row["effect"])
    for name in ("payment_terms", "due_date"):
        row = compared[name]
        _add(table, name.replace("_", " "), row["present"] or "by the terms", row["proposed"] or "by the terms", "")
    for name in ("subtotal", "total"):
        row = compared[name]
        _add(table, name, row["present"], row["proposed"], row["effect"])
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(one_line(cell, 5000)) for cell in cells))


def _line(side: dict[str, str] | None) -> str:
    if side is None:
        return _NOTHING
    amount = f"{side['quantity']} x {side['unit_price']} = {side['amount']}"
    return f"{side['description']}: {amount}"


def _discount(side: dict[str, str] | None) -> str:
    if side is None:
        return _NOTHING
    return f"{side['value']} % = {side['off']} off" if side["type"] == "percent" else f"{side['off']} off"
