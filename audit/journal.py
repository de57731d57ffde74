"""What stands in the journal under our keys, read as text; bean-check says whether the whole of it is sound.

Beancount's own code is GPL and is never imported (docs/decisions/0003): bean-check runs as a program of its own and
judges syntax, accounts and balances. After that, reading our own blocks is reading lines that we wrote.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from billing.errors import BadInput
from billing.money import decimals_of
from connectors.bean_check import NOT_INSTALLED, bean_check
from connectors.beancount_text import BEGIN, END

_BEGUN: Final = re.compile(rf"{BEGIN} (\S+) ([0-9a-f]+)")
_KEY: Final = re.compile(r'\s+billhook_key: "((?:[^"\\]|\\.)*)"')
_DATED: Final = re.compile(r"(\d{4}-\d\d-\d\d) \* ")
_POSTING: Final = re.compile(
    r"\s+((?:Assets|Income|Expenses|Liabilities|Equity):\S+)\s+(-?[\d,]+(?:\.\d+)?)\s+([A-Z]{3})\b"
)


@dataclass
class Entry:
    """One transaction of ours. `legs` are (account, minor units, currency)."""

    marked: str = ""
    key: str = ""
    digest: str = ""
    on: str = ""
    legs: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def receivable(self) -> list[tuple[int, str]]:
        return [(minor, currency) for account, minor, currency in self.legs if account.startswith("Assets:")]

    @property
    def revenue(self) -> list[tuple[int, str]]:
        return [(-minor, currency) for account, minor, currency in self.legs if account.startswith("Income:")]


@dataclass(frozen=True)
class Journal:
    """`refused` is what bean-check said against the file, empty where it accepts it; `judged` whether it was asked."""

    entries: dict[str, list[Entry]]
    refused: str = ""
    judged: bool = True


async def read_journal(path: Path) -> Journal:
    """Raises OSError where it stands and cannot be read."""
    if not await asyncio.to_thread(path.exists):
        return Journal({})
    text = await asyncio.to_thread(path.read_text, "utf-8", "replace")
    said = await bean_check(path)
    return Journal(index(text), "" if said == NOT_INSTALLED else said, said != NOT_INSTALLED)


def index(text: str) -> dict[str, list[Entry]]:
    """Entries by the key in their metadata; one whose metadata is gone goes by the key in its mark."""
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in _entries(text):
        found[entry.key or entry.marked].append(entry)
    return dict(found)


def _entries(text: str) -> Iterator[Entry]:
    """Transactions that carry our key, inside a pair of marks or copied out of one."""
    mark, entry = ("", ""), Entry()
    for line in text.splitlines():
        if begun := _BEGUN.fullmatch(line):
            mark = (begun[1], begun[2])
        elif dated := _DATED.match(line):
            yield from _whole(entry)
            entry = Entry(marked=mark[0], digest=mark[1], on=dated[1])
        elif key := _KEY.match(line):
            entry.key = key[1]
        elif leg := _POSTING.match(line):
            entry.legs.append((leg[1], _minor(leg[2], leg[3]), leg[3]))
        elif line.startswith(END):
            yield from _whole(entry)
            mark, entry = ("", ""), Entry()
    yield from _whole(entry)


def _whole(entry: Entry) -> Iterator[Entry]:
    if entry.key or entry.marked:
        yield entry


def _minor(amount: str, currency: str) -> int:
    """Minor units; an amount that no currency of ISO's can hold is told apart from every total by -1."""
    try:
        scaled = Decimal(amount.replace(",", "")).scaleb(decimals_of(currency))
    except BadInput:
        return -1
    return int(scaled) if scaled == scaled.to_integral_value() else -1
