"""The journal: accepted by bean-check, one transaction per key whoever posts, whole after a kill."""

import asyncio
import multiprocessing
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.intent import Line
from billing.money import Money
from connectors.beancount import BeancountJournal, PostedDifferently
from connectors.ports import Posting


def posting(key: str = "invoice:p:m", minor: int = 125000, currency: str = "USD", **changes: Any) -> Posting:
    values: dict[str, Any] = {
        "key": key,
        "external_id": "inv_1",
        "customer_id": "acme",
        "customer_name": "Acme",
        "motion": "milestone",
        "total": Money(minor=minor, currency=currency),
        "approved_on": date(2026, 10, 31),
        "lines": (Line(description="Design", quantity=Decimal(1), unit_price=Decimal(1)),),
    }
    return Posting(**{**values, **changes})


def check(path: Path) -> None:
    program = Path(sys.executable).parent / "bean-check"
    done = subprocess.run([program, "--no-cache", path], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


async def test_the_journal_is_accepted_by_bean_check_in_every_currency_and_with_hostile_words(tmp_path: Path) -> None:
    path = tmp_path / "books" / "ledger.beancount"
    journal = BeancountJournal(path)
    await journal.post(posting())
    await journal.post(posting("k2", 3000, "JPY", customer_id="_.odd.Id", customer_name='"; \\ \n2026-01-01 open X'))
    await journal.post(posting("k3", 10125, "KWD", motion="overage", customer_id="42"))
    await journal.post(posting("k4", 0, customer_name="ØÆ 株式会社", lines=()))
    await asyncio.to_thread(check, path)
    text = path.read_text()
    assert "Assets:Receivable:Acme  1250.00 USD" in text
    assert "Income:Sales:Milestone  -1250.00 USD" in text
    assert " 3000 JPY" in text
    assert " 10.125 KWD" in text


async def test_customers_that_an_account_name_cannot_tell_apart_are_kept_apart(tmp_path: Path) -> None:
    journal = BeancountJournal(tmp_path / "l")
    for index, name in enumerate(["a.b", "a_b", "a-b", "A-b"]):
        await journal.post(posting(f"k{index}", customer_id=name))
    opens = {line for line in (tmp_path / "l").read_text().splitlines() if "open Assets" in line}
    assert len(opens) == 4


async def test_a_key_is_posted_once_and_never_with_other_content(tmp_path: Path) -> None:
    path = tmp_path / "l"
    await asyncio.gather(*(BeancountJournal(path).post(posting()) for _ in range(10)))
    assert path.read_text().count("billhook_key") == 1
    with pytest.raises(PostedDifferently):
        await BeancountJournal(path).post(posting(minor=1))


def _post_many(path: Path, keys: list[str]) -> None:
    async def run() -> None:
        journal = BeancountJournal(path)
        for key in keys:
            await journal.post(posting(key, customer_id=key))

    asyncio.run(run())


def test_processes_that_post_the_same_keys_leave_one_transaction_each(tmp_path: Path) -> None:
    path, keys = tmp_path / "l", [f"k{index}" for index in range(20)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_post_many, args=(path, order)) for order in (keys, keys[::-1])]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert path.read_text().count("billhook_key") == 20
    check(path)


async def test_a_posting_torn_anywhere_is_cut_off_and_posted_whole(tmp_path: Path) -> None:
    path = tmp_path / "l"
    await BeancountJournal(path).post(posting("k1"))
    before = path.read_bytes()
    await BeancountJournal(path).post(posting("k2", customer_id="beta"))
    whole = path.read_bytes()
    for cut in [*range(len(before), len(before) + 40), *range(len(before) + 40, len(whole), 11), len(whole) - 1]:
        path.write_bytes(whole[:cut])
        await BeancountJournal(path).post(posting("k2", customer_id="beta"))
        assert path.read_bytes().strip().count(b"billhook begin") == 2, cut
        assert path.read_bytes().split() == whole.split(), cut
    await asyncio.to_thread(check, path)


async def test_the_first_posting_torn_anywhere_still_leaves_good_books(tmp_path: Path) -> None:
    path = tmp_path / "l"
    await BeancountJournal(path).post(posting("k1"))
    whole = path.read_bytes()
    for cut in range(0, len(whole), 13):
        path.write_bytes(whole[:cut])
        await BeancountJournal(path).post(posting("k1"))
        assert path.read_text().count("billhook_key") == 1, cut
        assert path.read_text().count("open Income") == 1, cut
        assert path.read_text().count("option") == 1, cut
    await asyncio.to_thread(check, path)


async def test_what_a_person_adds_or_rewrites_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "l"
    journal = BeancountJournal(path)
    await journal.post(posting("k1"))
    note = '2026-11-01 note Assets:Receivable:Acme "called"'
    path.write_text(path.read_text().replace("Design", "Design, phase 1") + note)
    await journal.post(posting("k2"))
    await journal.post(posting("k1"))
    text = path.read_text()
    assert note in text
    assert text.count("billhook_key") == 2
    await asyncio.to_thread(check, path)


async def test_a_posting_reads_only_what_came_since_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = BeancountJournal(tmp_path / "l")
    read: list[int] = []
    original = BeancountJournal._read  # noqa: SLF001

    def counting(self: BeancountJournal, file: Any) -> int:
        start = file.tell()
        whole = original(self, file)
        read.append(whole - start)
        return whole

    monkeypatch.setattr(BeancountJournal, "_read", counting)
    for index in range(50):
        await journal.post(posting(f"k{index}"))
    assert max(read[1:]) < 1000
