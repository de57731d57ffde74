"""The short kill -9: five invoices through the real processes while API, sandbox and Temporal die.

The worker is spared here: an activity that dies with it is only tried again after its start-to-close timeout of 30 s.
tests/drills/crash.py kills it at every single step, and the long version kills it with the others.
"""

from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from connectors.beancount_text import BEGIN
from tests.drills import kill
from tests.drills.kill_books import disagreements_of
from tests.drills.kill_parts import Killing
from tests.drills.seeds import kept

SEED = 3
POSTED = f'{BEGIN} k 0a\n2026-11-01 * ""\n  Assets:Receivable:A  1.00 USD\n  Income:Sales:B  -1.00 USD\n'


@pytest.mark.parametrize("seed", [SEED, *kept("kill")])
async def test_every_invoice_ends_and_the_books_agree_though_processes_are_killed_on_the_way(seed: int) -> None:
    killing = Killing(seconds=6, victims=("api", "sandbox", "temporal"), every_s=3)
    report = await kill.drill(invoices=5, seed=seed, killing=killing)
    assert report.violations == [], f"seed {seed}"
    assert sum(report.faults.values()) >= 3
    assert set(report.events) == {"applied", "ignored"}


def _seen(**changes: Any) -> dict[str, dict[str, Any]]:
    return {"k": {"key": "k", "status": "billed", "version": 1, "total_minor": 100, "currency": "USD", **changes}}


def _truth(*invoices: dict[str, Any], contiguous: bool = True) -> dict[str, Any]:
    whole = {"id": "inv_1", "reference": "k", "status": "approved", "version": 1, "total_cents": 100, "currency": "USD"}
    return {"invoices": [whole | one for one in invoices], "numbers": {"contiguous": contiguous, "missing": [2]}}


def _mail(subject: str) -> Message:
    mail = Message()
    mail["Message-ID"], mail["To"], mail["Subject"] = "<1@billhook>", "ap@acme.example", subject
    return mail


def test_books_that_agree_are_no_violation(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text(POSTED)
    # The same mail twice is what a worker's death between sending and noting it leaves behind.
    assert disagreements_of(_seen(), _truth({}), tmp_path / "journal", [_mail("a"), _mail("a")]) == []


@pytest.mark.parametrize(
    ("books", "says"),
    [
        ((_seen(), _truth({}, {"id": "inv_2", "status": "voided"}), POSTED, []), "k has 2 invoices at the API"),
        ((_seen(), _truth({}, {"id": "inv_2", "reference": "x", "status": "voided"}), POSTED, []), "nobody triggered"),
        ((_seen(), _truth({"status": "sent"}), POSTED, []), "k is billed here and sent at the API"),
        ((_seen(), _truth({"version": 2}), POSTED, []), "version and total are (1, 100) here and (2, 100) at the API"),
        ((_seen(), _truth({}), POSTED * 2, []), "k is posted 2 times"),
        ((_seen(), _truth({}), "", []), "k is billed and not posted"),
        ((_seen(status="cancelled"), _truth({"status": "voided"}), POSTED, []), "k is posted and not billed"),
        ((_seen(), _truth({}, contiguous=False), POSTED, []), "numbers have a gap: [2]"),
        ((_seen(), _truth({}), POSTED, [_mail("a"), _mail("b")]), "says different things"),
    ],
)
def test_each_disagreement_of_the_books_is_found(tmp_path: Path, books: tuple[Any, ...], says: str) -> None:
    seen, truth, posted, mails = books
    (tmp_path / "journal").write_text(posted)
    found = disagreements_of(seen, truth, tmp_path / "journal", mails)
    assert any(says in words for words in found), found
