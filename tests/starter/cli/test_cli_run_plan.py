"""`billhook run plan`: what a month's run would do, for a person and for a program, and why there is none to show."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from records.customers import CustomerBody, put_customer
from records.metering import take
from records.session import Database
from records.subscriptions import put_subscription
from starter.cli.exits import Exit
from starter.embedded import credentials
from tests import commands
from tests.records.metered import GROUPS, NOW, a_body, an_event

MOTIONS = """
[[billing_groups]]
name = "europe"
zone = "Europe/Berlin"

[[billing_groups]]
name = "nz"
zone = "Pacific/Auckland"
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("2026-10")` over three subscriptions of two groups, one of them too dear to go out by itself."""
    (tmp_path / "motions.toml").write_text(MOTIONS, encoding="utf-8")
    asyncio.run(_filled(f"sqlite:///{tmp_path / 'billhook.db'}"))
    monkeypatch.setenv("BILLHOOK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BILLHOOK_MOTIONS_FILE", str(tmp_path / "motions.toml"))

    def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return commands.run("run", "plan", *arguments, cwd=tmp_path)

    return call


async def _filled(url: str) -> None:
    db = Database(url)
    await db.upgrade()
    customer = {"name": "Acme", "email": "ap@acme.example", "currency": "USD"}
    async with db.transaction() as s:
        await put_customer(s, "acme", CustomerBody.model_validate(customer))
        for name, group, used in (("s1", "europe", "1000"), ("s2", "europe", "9000000"), ("s3", "nz", "500")):
            await put_subscription(s, name, a_body(billing_group=group))
            await take(s, [an_event(name, used, subscription_id=name)], GROUPS, NOW)
    await db.close()


def test_a_person_reads_invoices_totals_who_must_look_what_changed_and_how_long_it_takes(run: Run) -> None:
    answer = run("2026-10", "--group", "europe", BILLHOOK_JUPITER_RATE="0.001")
    assert answer.returncode == Exit.OK, answer.stderr
    lines = [" ".join(line.split()) for line in answer.stdout.splitlines()]
    assert lines[0] == "europe 2026-10 in Europe/Berlin, over since 2026-11-01T00:00+01:00"
    assert "to start 2 invoices: 90010.00 USD" in lines
    assert "need a look 1 of them: 90000.00 USD" in lines
    assert "1 by the rule over_threshold" in lines
    assert "change 0.00 to 90010.00 USD, +90010.00" in lines
    assert "acme: 0.00 to 90010.00 USD, +90010.00" in lines
    assert "takes 00:50:00 at the least: 3 to jupiter and 2 to mail; jupiter takes 0.001 a second" in lines
    assert answer.stderr == ""


def test_a_program_reads_every_group_as_json(run: Run) -> None:
    answer = run("2026-10", "--json")
    found = {one["group"]: one for one in json.loads(answer.stdout)}
    assert {name: one["new"]["amounts"] for name, one in found.items()} == {
        "europe": {"USD": "90010.00"},
        "nz": {"USD": "5.00"},
    }
    assert found["nz"]["pace"] == {"steps": {"jupiter": 2, "mail": 1}, "rates": {}, "seconds": None, "bound_by": None}
    assert found["europe"]["asks"]["named"][0]["subscription_id"] == "s2"


def test_another_terminal_has_the_stacks_motions_unless_its_environment_says_otherwise(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BILLHOOK_MOTIONS_FILE")
    assert run("2026-10").returncode == Exit.NOT_FOUND
    kept = {credentials.MOTIONS_FILE: str(tmp_path / "motions.toml")}
    credentials.write(tmp_path, kept, credentials.ADDRESSES)
    found = json.loads(run("2026-10", "--json").stdout)
    assert [one["group"] for one in found] == ["europe", "nz"]
    own = tmp_path / "own.toml"
    own.write_text('[[billing_groups]]\nname = "asia"\nzone = "Asia/Kolkata"\n', encoding="utf-8")
    [group] = json.loads(run("2026-10", "--json", BILLHOOK_MOTIONS_FILE=str(own)).stdout)
    assert group["group"] == "asia"


def test_without_a_limit_it_says_which_setting_has_none(run: Run) -> None:
    assert "BILLHOOK_JUPITER_RATE sets no limit" in run("2026-10").stdout


def test_what_cannot_be_planned_is_said_with_the_next_step(run: Run, tmp_path: Path) -> None:
    month = run("2026-13")
    assert (month.returncode, month.stdout) == (Exit.USAGE, "")
    assert "is no month" in month.stderr
    group = run("2026-10", "--group", "asia")
    assert group.returncode == Exit.NOT_FOUND
    assert "use one of europe, nz" in group.stderr
    (tmp_path / "none.toml").write_text("", encoding="utf-8")
    none = run("2026-10", BILLHOOK_MOTIONS_FILE=str(tmp_path / "none.toml"))
    assert none.returncode == Exit.NOT_FOUND
    assert "[[billing_groups]]" in none.stderr
