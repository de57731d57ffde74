"""`billhook audit` as a person and a script meet it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from starter.cli.exits import Exit
from tests import commands
from tests.audit.tampered import Books


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BILLHOOK_", "TEMPORAL_"))}
    given = {**kept, "BILLHOOK_DATA_DIR": str(folder), **env}
    return commands.run("audit", *arguments, env=given, cwd=folder)


@pytest.fixture
def data_dir(books: Books) -> Path:
    """A data directory as `up` leaves it, without what runs."""
    folder = books.records.parent / "data"
    folder.mkdir()
    books.records = books.records.rename(folder / "billhook.db")
    (folder / "ledger.beancount").write_text(books.journal)
    return folder


def test_sound_books_exit_0_with_a_line_per_invariant(books: Books, data_dir: Path) -> None:
    done = run(data_dir, TEMPORAL_ADDRESS=books.address)
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["invariant", *(f"I{n}" for n in range(1, 11))]
    assert done.stderr.splitlines()[-1] == "0 violations; not wholly checked: I1, I2, I5, I7, I8, I10"
    assert run(data_dir, "--whole", TEMPORAL_ADDRESS=books.address).returncode == Exit.NOT_IN_ORDER
    assert "I2 not wholly checked: the API's audit" in done.stderr


def test_a_violation_exits_7_and_says_evidence_and_next_step(books: Books, data_dir: Path) -> None:
    key = books.keys["automatic"]
    books.sql("UPDATE invoices SET total_minor = total_minor + 1 WHERE key = ?", key)
    told = run(data_dir, TEMPORAL_ADDRESS=books.address)
    assert told.returncode == Exit.NOT_IN_ORDER
    assert f"I7 VIOLATED by {key}" in told.stdout
    assert "12,500.00 USD, the record says 12,500.01 USD" in told.stdout
    assert "next:" in told.stdout
    as_json = run(data_dir, "--json", TEMPORAL_ADDRESS=books.address)
    report = json.loads(as_json.stdout)
    assert (as_json.returncode, report["clean"]) == (Exit.NOT_IN_ORDER, False)
    totals = next(one for one in report["checks"] if one["invariant"] == "I7")
    assert {one["subject"] for one in totals["violations"]} == {key}


def test_records_that_cannot_be_read_exit_3(tmp_path: Path) -> None:
    done = run(tmp_path, BILLHOOK_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert done.returncode == Exit.UNREACHABLE
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
