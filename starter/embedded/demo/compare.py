"""Three books of one month: ours, the sandbox's own and the journal. Every figure is read anew and compared."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from billing.money import decimals_of
from starter.embedded.demo.month import Example

_POSTING: Final = re.compile(r"^\s+Assets:\S+\s+(-?[\d,]+(?:\.\d+)?)\s+([A-Z]{3})\b", re.MULTILINE)
# The receivable's side of each transaction; the other side is revenue.


_THEIRS: Final = {"billed": "approved", "awaiting_approval": "draft"}
# Our words where the sandbox has others.


@dataclass(frozen=True)
class Totals:
    """Billed totals in minor units by currency, as each book has them."""

    ours: Mapping[str, int]
    sandbox: Mapping[str, int]
    journal: Mapping[str, int]

    def disagreements(self) -> list[str]:
        return [
            f"{currency}: ours {self.ours.get(currency, 0)}, sandbox {self.sandbox.get(currency, 0)}, "
            f"journal {self.journal.get(currency, 0)} (minor units)"
            for currency in sorted({*self.ours, *self.sandbox, *self.journal})
            if not self.ours.get(currency, 0) == self.sandbox.get(currency, 0) == self.journal.get(currency, 0)
        ]


def totals(invoices: list[dict[str, Any]], audit: dict[str, Any], journal: Path) -> Totals:
    """The billed ones of ours, the approved ones of the sandbox, the receivables of the journal."""
    ours, theirs = Counter[str](), Counter[str]()
    for one in invoices:
        if one["status"] == "billed":
            ours[one["currency"]] += one["total_minor"]
    for one in audit["invoices"]:
        if one["status"] in {"approved", "paid"}:
            theirs[one["currency"]] += one["total_cents"]
    return Totals(ours, theirs, receivables(journal.read_text() if journal.exists() else ""))


def receivables(text: str) -> Counter[str]:
    """Sum of the postings to Assets, in minor units by currency."""
    found = Counter[str]()
    for amount, currency in _POSTING.findall(text):
        found[currency] += int(Decimal(amount.replace(",", "")).scaleb(decimals_of(currency)))
    return found


def disagreements(keys: dict[str, Example], invoices: list[dict[str, Any]], audit: dict[str, Any]) -> list[str]:
    """What does not agree, invoice by invoice, and in the series of numbers."""
    ours = {one["key"]: one for one in invoices}
    wrong = [f"{key}: not among our invoices" for key in keys if key not in ours]
    wrong += [f"{key}: an invoice that no trigger asked for" for key in ours if key not in keys]
    theirs: dict[str, list[dict[str, Any]]] = {}
    for one in audit["invoices"]:
        theirs.setdefault(one["reference"], []).append(one)
    wrong += [f"{key}: an invoice at the API that is not ours" for key in theirs if key not in ours]
    for key in keys.keys() & ours.keys():
        wrong += _of_one(keys[key], ours[key], theirs.get(key, []))
    if not audit["numbers"]["contiguous"]:
        wrong.append(f"numbers at the sandbox have gaps: {audit['numbers']['missing']}")
    return wrong


def _of_one(example: Example, ours: dict[str, Any], theirs: list[dict[str, Any]]) -> list[str]:
    key = ours["key"]
    if not example.is_at_rest(ours):
        return [f"{key}: is {ours['status']}, should be {example.expected}; waits for {ours.get('waiting_for')}"]
    if ours["status"] == "rejected":
        return [f"{key}: rejected here, and yet at the API"] if theirs else []
    if len(theirs) != 1:
        return [f"{key}: {len(theirs)} invoices at the API"]
    found = theirs[0]
    wanted = {
        "total": (ours["total_minor"], found["total_cents"]),
        "currency": (ours["currency"], found["currency"]),
        "version": (ours["version"], found["version"]),
        "status": (_THEIRS.get(ours["status"], ours["status"]), found["status"]),
    }
    wrong = [
        f"{key}: {what} is {mine} here and {other} there" for what, (mine, other) in wanted.items() if mine != other
    ]
    wrong += [f"{key}: {what}" for what in _of_case(example, ours)]
    if bool(found["number"]) == (found["status"] == "draft"):
        wrong.append(f"{key}: {'issued without a number' if not found['number'] else 'a draft with a number'}")
    po_number = example.amends.get("po_number")
    if po_number and (ours.get("recipient") or {}).get("po_number") != po_number:
        wrong.append(f"{key}: the amended PO number did not arrive")
    return wrong


def _of_case(example: Example, ours: dict[str, Any]) -> list[str]:
    """Whether what its recipient asked for came to what our person answered."""
    if not example.asks:
        return []
    if example.is_left:
        is_open = any(case["status"] == "open" for case in ours["cases"])
        return [] if is_open == (ours["status"] == example.expected) else ["what was asked is not open"]
    said = {"accept": "accepted", "decline": "declined"}[example.answer["action"]]
    wanted = {
        "version": (ours["version"], example.version),
        "answer": ([case["status"] for case in ours["cases"]], [said]),
        "in part": ([case["in_part"] for case in ours["cases"]], ["parts" in example.answer]),
    }
    return [f"{what} is {mine}, should be {other}" for what, (mine, other) in wanted.items() if mine != other]
