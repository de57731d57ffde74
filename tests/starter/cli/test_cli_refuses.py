"""What cannot be read, kept or sent is told with its cause and the next step, by an exit code and no traceback."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from starter.cli.exits import Exit
from tests import commands

Run = Callable[..., subprocess.CompletedProcess[str]]

DEEP = "[" * 100_000
LONE = b"acme\xff".decode(errors="surrogateescape")
# As Python hands over an argument that is no UTF-8.


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("invoice", "list")` where nothing answers, in a folder of its own; `env` comes on top."""
    monkeypatch.setenv("BILLHOOK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BILLHOOK_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("BILLHOOK_TOKEN", "bh_x")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("BILLHOOK_SMTP_URL", "smtp://127.0.0.1:9")

    def call(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return commands.run(*arguments, cwd=tmp_path, stdin=stdin)

    return call


def _told(answer: subprocess.CompletedProcess[str], code: Exit, *words: str) -> None:
    assert (answer.returncode, answer.stdout) == (code, ""), answer.stderr
    assert "Traceback" not in answer.stderr
    assert "next: " in answer.stderr
    for one in words:
        assert one in answer.stderr


READS_JSON = [
    ("trigger", "milestone", "body.json"),
    ("customer", "put", "acme", "body.json"),
    ("subscription", "put", "sub_1", "body.json"),
    ("policy", "explain", "body.json"),
    ("invoice", "approve", "invoice:p:m", "--revision", "r", "--patch", "body.json"),
]


@pytest.mark.parametrize("words", READS_JSON, ids=" ".join)
def test_json_that_is_nested_too_deeply_is_refused_naming_the_file(run: Run, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "body.json").write_text(DEEP)
    _told(run(*words), Exit.USAGE, "cause: body.json is no JSON", "nested")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (DEEP, "nested deeper than 100 levels"),
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels"),
        ('{"amount": NaN}', "NaN is no number"),
        ('{"amount": 1e999}', "no JSON"),
        ('{"note": "\\ud800"}', "half of a surrogate pair"),
    ],
    ids=["deep", "101 levels", "NaN", "infinite", "surrogate"],
)
def test_json_at_stdin_that_could_not_be_sent_is_refused_before_it_is(run: Run, text: str, why: str) -> None:
    _told(run("trigger", "milestone", "-", stdin=text), Exit.USAGE, "cause: stdin is no JSON", why)


def test_json_of_a_hundred_levels_is_sent(run: Run) -> None:
    _told(run("trigger", "milestone", "-", stdin="[" * 100 + "]" * 100), Exit.UNREACHABLE, "nothing answers")


@pytest.mark.parametrize("content", [f"x = {DEEP}".encode(), b"\xff\xfe"], ids=["deep", "no text"])
def test_a_policy_that_cannot_be_read_is_refused(run: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "policy.toml").write_bytes(content)
    answer = run("policy", "check", "policy.toml")
    _told(answer, Exit.USAGE if content.startswith(b"\xff") else Exit.NOT_IN_ORDER, "cause: ")


@pytest.mark.parametrize("item", ["policy", "motions"])
@pytest.mark.parametrize("content", [f"x = {DEEP}".encode(), b"\xff\xfe", None], ids=["deep", "no text", "missing"])
def test_doctor_goes_on_past_a_file_that_cannot_be_read_and_names_it(
    run: Run, tmp_path: Path, item: str, content: bytes | None
) -> None:
    if content:
        (tmp_path / "broken.toml").write_bytes(content)
    answer = run("doctor", **{f"BILLHOOK_{item.upper()}_FILE": "broken.toml"})
    assert (answer.returncode, "Traceback" in answer.stderr) == (Exit.NOT_IN_ORDER, False), answer.stderr
    [line] = [line for line in answer.stdout.splitlines() if f" {item}: " in line]
    assert line.startswith("failed")
    assert item in answer.stderr


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("billhook.toml", b"x = [", "no TOML: Invalid value"),
        ("billhook.toml", f"x = {DEEP}".encode(), "nested too deeply"),
        ("billhook.toml", b"\xff", "no text in UTF-8"),
        (".env", b"BILLHOOK_CRM=\xff\n", "no text in UTF-8"),
    ],
    ids=["no TOML", "deep", "no text", ".env no text"],
)
def test_a_settings_file_that_cannot_be_read_is_named(
    run: Run, tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)
    _told(run("doctor"), Exit.REFUSED, f"field: {name}", why)


@pytest.mark.parametrize("place", ["file", "/proc/billhook"])
@pytest.mark.parametrize("words", [("up",), ("demo", "--exit"), ("sandbox",)], ids=" ".join)
def test_a_data_directory_that_cannot_be_one_is_refused(
    run: Run, tmp_path: Path, words: tuple[str, ...], place: str
) -> None:
    (tmp_path / "file").touch()
    _told(run(*words, "--data-dir", place), Exit.REFUSED, "field: BILLHOOK_DATA_DIR", "cannot be used as a folder")


@pytest.mark.parametrize("words", [("db", "upgrade"), ("sandbox",), ("api",)], ids=" ".join)
def test_a_file_set_as_the_data_directory_is_refused(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    _told(run(*words, BILLHOOK_DATA_DIR=str(tmp_path / "file")), Exit.REFUSED, "BILLHOOK_DATA_DIR", "it is a file")


@pytest.mark.parametrize("is_folder", [True, False], ids=["folder", "no text"])
def test_credentials_that_cannot_be_read_are_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_folder: bool
) -> None:
    monkeypatch.delenv("BILLHOOK_TOKEN")
    monkeypatch.delenv("BILLHOOK_API_URL")
    kept = tmp_path / "data" / "credentials.env"
    kept.parent.mkdir()
    kept.mkdir() if is_folder else kept.write_bytes(b"BILLHOOK_TOKEN=\xff\n")
    _told(run("invoice", "list"), Exit.REFUSED, "field: credentials.env", str(kept))


def test_the_file_that_should_hold_the_address_is_named_where_it_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BILLHOOK_API_URL")
    _told(run("invoice", "list", BILLHOOK_API_URL_FILE="none"), Exit.REFUSED, "field: BILLHOOK_API_URL_FILE")


def test_a_token_that_no_header_can_carry_is_refused_and_not_told(run: Run) -> None:
    answer = run("invoice", "list", BILLHOOK_TOKEN="bh_ü")
    _told(answer, Exit.NOT_ALLOWED, "field: BILLHOOK_TOKEN")
    assert "bh_" not in answer.stderr


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("customer", "show", LONE), "customer_id"),
        (("invoice", "show", LONE), "key"),
        (("invoice", "approve", "k", "--revision", "r", "--note", LONE), "--note"),
        (("invoice", "cancel", "k", "--reason", LONE), "--reason"),
        (("token", "create", "maria", "--scope", "read", "--customer", LONE), "--customer"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_text_that_is_no_utf_8_is_refused_by_its_name(run: Run, words: tuple[str, ...], field: str) -> None:
    _told(run(*words), Exit.USAGE, f"field: {field}", "no text in UTF-8: acme\\xff")


def test_a_file_may_have_a_name_that_is_no_utf_8(run: Run, tmp_path: Path) -> None:
    (tmp_path / LONE).write_text("{}")
    _told(run("customer", "put", "acme", LONE), Exit.UNREACHABLE, "nothing answers")


@pytest.mark.parametrize(
    "words",
    [("audit",), ("token", "list"), ("usage", "show", "sub_1", "2026-10")],
    ids=" ".join,
)
def test_a_command_that_only_reads_makes_no_records(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    _told(run(*words), Exit.UNREACHABLE, "there is no file", "billhook.db", "check BILLHOOK_DATA_DIR")
    assert not (tmp_path / "data").exists()


def test_doctor_makes_no_records(run: Run, tmp_path: Path) -> None:
    answer = run("doctor")
    assert answer.returncode == Exit.NOT_IN_ORDER
    assert "billhook.db: there is no file" in answer.stdout
    assert not (tmp_path / "data").exists()
