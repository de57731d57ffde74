"""`billhook usage`: a file imported as a person does it, hostile lines told plainly, and a month read back."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from records import usage
from records.customers import CustomerBody, put_customer
from records.session import Database
from records.subscriptions import put_subscription
from starter.cli.exits import Exit
from tests import commands
from tests.nasty import MESSAGE, assert_plain
from tests.records.metered import OVERAGE, a_body

MOTIONS = '[[billing_groups]]\nname = "europe"\nzone = "Europe/Berlin"\n'
HEADER = "event_id,subscription_id,meter,quantity,at\n"
GOOD = "e1,s1,api,150,2026-10-14T12:00:00Z\ne2,s1,api,0.5,2026-09-14T12:00:00Z\n"
Billhook = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def billhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Billhook:
    """`billhook("import", "FILE")` over one subscription whose September is closed."""
    (tmp_path / "motions.toml").write_text(MOTIONS, encoding="utf-8")
    asyncio.run(_filled(f"sqlite:///{tmp_path / 'billhook.db'}"))
    monkeypatch.setenv("BILLHOOK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BILLHOOK_MOTIONS_FILE", str(tmp_path / "motions.toml"))

    def call(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return commands.run("usage", *arguments, stdin=stdin, cwd=tmp_path)

    return call


async def _filled(url: str) -> None:
    db = Database(url)
    await db.upgrade()
    customer = {"name": "Acme", "email": "ap@acme.example", "currency": "USD"}
    async with db.transaction() as s:
        await put_customer(s, "acme", CustomerBody.model_validate(customer))
        await put_subscription(s, "s1", a_body(charges=[OVERAGE]))
        await usage.close(s, ["s1"], "2026-09")
    await db.close()


def test_a_file_is_counted_told_and_read_back_by_the_month(billhook: Billhook, tmp_path: Path) -> None:
    (tmp_path / "october.csv").write_text(HEADER + GOOD)
    done = billhook("import", "october.csv")
    assert done.returncode == Exit.OK, done.stderr
    assert done.stdout.splitlines() == [
        "read         2",
        "counted      2, 1 of them late: 1 into 2026-10",
        "known        0 were counted before",
        "overages     1 invoices came of them",
        "refused      0",
    ]
    assert not list(tmp_path.glob("*rejected*"))
    again = json.loads(billhook("import", "october.csv", "--json").stdout)
    assert (again["counted"], again["known"], again["rejects"]) == (0, 2, None)
    month = billhook("show", "s1", "2026-10")
    assert month.stdout.splitlines()[0] == "s1  2026-10  open"
    assert month.stdout.splitlines()[2].split() == ["api", "150.5", "0.5", "in", "2026-09", "50.5"]
    told = json.loads(billhook("show", "s1", "2026-10", "--json").stdout)
    assert told["meters"] == [{"meter": "api", "used": "150.5", "late": {"2026-09": "0.5"}, "as_overage": "50.5"}]
    assert json.loads(billhook("show", "s1", "2026-09", "--json").stdout)["closed"] is True


def test_refused_lines_are_kept_beside_the_file_and_mended_there(billhook: Billhook, tmp_path: Path) -> None:
    (tmp_path / "october.csv").write_text(HEADER + "e0,s1,api,many,2026-10-14T12:00:00Z\n" + GOOD)
    done = billhook("import", "october.csv")
    assert done.returncode == Exit.REFUSED
    assert "refused      1, kept in october.csv.rejected.csv" in done.stdout
    assert "  line 2  quantity: 'many' is no plain decimal" in done.stdout
    assert "1 of 3 events are refused" in done.stderr
    assert billhook("import", "october.csv").returncode == Exit.USAGE, "what waits to be mended is not written over"
    kept = tmp_path / "october.csv.rejected.csv"
    kept.write_text(kept.read_text().replace("many", "7"))
    mended = billhook("import", kept.name)
    assert (mended.returncode, "counted      1" in mended.stdout) == (Exit.OK, True), mended.stderr


def test_stdin_is_read_and_its_rejects_get_the_name_that_is_asked_for(billhook: Billhook, tmp_path: Path) -> None:
    lines = '{"event_id": "a"}\n' + json.dumps(
        {"event_id": "b", "subscription_id": "s1", "meter": "api", "quantity": "1", "at": "2026-10-14T12:00:00Z"}
    )
    done = billhook("import", "-", "--format", "jsonl", "--rejects", "kept.jsonl", "--json", stdin=lines)
    told = json.loads(done.stdout)
    assert (done.returncode, told["counted"], told["refused"]) == (Exit.REFUSED, 1, 1)
    assert (told["refusals"][0]["line"], told["refusals"][0]["field"]) == (1, "subscription_id")
    assert (tmp_path / "kept.jsonl").read_text() == '{"event_id": "a"}\n'


def test_no_refused_line_steers_the_terminal(billhook: Billhook, tmp_path: Path) -> None:
    words = MESSAGE.replace("\n", " ").replace("\r", " ")
    hostile = {
        "event_id": MESSAGE[:150],
        "subscription_id": words[:90],
        "meter": MESSAGE,
        "quantity": MESSAGE,
        "at": words,
    }
    bodies = [hostile, {MESSAGE: 1}, {**hostile, "subscription_id": "s1", "meter": "api"}, MESSAGE]
    valid = {"subscription_id": "s1", "meter": "api", "at": "2026-10-14T12:00:00Z"}
    bodies += [{**valid, "event_id": MESSAGE[:150], "quantity": amount} for amount in ("1", "2")]
    raw = '{"event_id": "\\ud800"}\n{"\\udfff": 1, "\\udfff": 2}\n'
    raw += f'{{"{chr(0x1B)}[31m": 1}}\n{{"\u202e": 1, "\u202e": 2}}\n'
    (tmp_path / "hostile.jsonl").write_text("".join(json.dumps(body) + "\n" for body in bodies) + raw)
    (tmp_path / "hostile.csv").write_text(HEADER.replace("at", words.replace(",", "")))
    (tmp_path / "rows.csv").write_text(HEADER + f"x,s1,{words.replace(',', '').replace(chr(34), '')},1,\x1b[2J\n")
    for arguments in (
        ["hostile.jsonl", "--json", "--rejects", "\udcff"],
        ["hostile.jsonl", "--rejects", "r"],
        ["hostile.csv"],
        ["rows.csv"],
    ):
        done = billhook("import", *arguments)
        assert done.returncode == Exit.REFUSED, done.stderr
        assert_plain(done.stdout + done.stderr)
    assert "\x1b" in (tmp_path / "r").read_text(), "the file of rejects has them as they came"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["import", "none.csv"], Exit.USAGE, "none.csv cannot be read"),
        (["import", "-"], Exit.USAGE, "--format"),
        (["import", "a.txt"], Exit.USAGE, "--format"),
        (["import", "a.csv", "--format", "xml"], Exit.USAGE, "'xml' is no format"),
        (["import", "a.csv", "--rejects", "no/such/folder"], Exit.USAGE, "--rejects"),
        (["import", "a.csv"], Exit.REFUSED, "the first line does not name quantity"),
        (["show", "s9", "2026-10"], Exit.NOT_FOUND, "billhook subscription put s9 FILE"),
        (["show", "s1", "october"], Exit.USAGE, "YYYY-MM"),
        (["show", "s1", "9999-12"], Exit.USAGE, "YYYY-MM"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(
    billhook: Billhook, tmp_path: Path, arguments: list[str], code: Exit, words: str
) -> None:
    (tmp_path / "a.csv").write_text(HEADER.replace("quantity,", ""))
    done = billhook(*arguments)
    assert (done.returncode, words in done.stderr, "next:" in done.stderr) == (code, True, True), done.stderr
    assert "Traceback" not in done.stderr
