"""The command line as a person and a script meet it: help, streams, exit codes, refusals in words."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from starter.cli.exits import Exit
from starter.cli.showing import shown
from tests import commands

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("invoice", "list")` in an empty data directory; `env` comes on top."""

    def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("BILLHOOK_DATA_DIR", str(tmp_path))
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return commands.run(*arguments, cwd=tmp_path)

    return call


@pytest.fixture
def refusing() -> Iterator[Callable[[int, dict[str, Any]], str]]:
    """A server that answers everything with one status and one body."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: dict[str, Any]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_help_loads_nothing_heavy() -> None:
    program = "import sys, starter.cli; print({'temporalio', 'httpx', 'sqlalchemy', 'fastapi'} & {*sys.modules})"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert answer.stdout.strip() == "set()"


def test_no_api_is_said_so_with_the_next_step(run: Run) -> None:
    answer = run("invoice", "list", BILLHOOK_API_URL="http://127.0.0.1:9", BILLHOOK_TOKEN="bh_x")
    assert answer.returncode == Exit.UNREACHABLE
    assert answer.stdout == ""
    assert "nothing answers at http://127.0.0.1:9" in answer.stderr
    assert "billhook up" in answer.stderr


def test_no_token_is_said_so(run: Run) -> None:
    answer = run("approvals", "list", BILLHOOK_TOKEN="")
    assert answer.returncode == Exit.NOT_ALLOWED
    assert "BILLHOOK_TOKEN" in answer.stderr


def test_a_refusal_is_printed_as_field_cause_and_next_step(run: Run, refusing: Any) -> None:
    url = refusing(
        422, {"detail": "x", "errors": [{"field": "status", "cause": "no such state", "next_step": "drop it"}]}
    )
    answer = run("invoice", "list", BILLHOOK_API_URL=url, BILLHOOK_TOKEN="bh_x")
    assert answer.returncode == Exit.REFUSED
    assert answer.stderr.splitlines() == ["field: status", "cause: no such state", "next:  drop it"]


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (404, 5), (409, 1), (422, 1), (502, 3), (503, 3)])
def test_exit_codes_follow_the_refusal(run: Run, refusing: Any, status: int, code: int) -> None:
    answer = run("invoice", "show", "k", BILLHOOK_API_URL=refusing(status, {"detail": "no"}), BILLHOOK_TOKEN="bh_x")
    assert answer.returncode == code


LISTS = [
    ("invoice", "billhook trigger MOTION FILE"),
    ("approvals", "billhook policy explain FILE"),
    ("cases", "his invoice's page"),
    ("events", "billhook doctor"),
    ("subscription", "billhook subscription put ID FILE"),
]


@pytest.mark.parametrize(("noun", "step"), LISTS)
def test_an_empty_list_says_what_there_is_none_of_and_what_would_fill_it(
    run: Run, refusing: Any, noun: str, step: str
) -> None:
    answer = run(noun, "list", BILLHOOK_API_URL=refusing(200, {"data": [], "next_cursor": None}), BILLHOOK_TOKEN="bh_x")
    assert (answer.returncode, answer.stdout) == (Exit.OK, "")
    assert re.match(r"(no|nothing) .*; ", answer.stderr), answer.stderr
    assert step in answer.stderr


@pytest.mark.parametrize(("said", "told"), [
    ("create it first: PUT /customers/acme", "next:  create it first: billhook customer put acme FILE"),
    ("create it: PUT /subscriptions/s_1", "next:  create it: billhook subscription put s_1 FILE"),
    ("the keys are listed by GET /invoices", "next:  the keys are listed by billhook invoice list"),
    ("read it: GET /invoices/invoice:p:m; see", "next:  read it: billhook invoice show invoice:p:m; see"),
    ("the events are listed by GET /events", "next:  the events are listed by billhook events list"),
    ("bill this period by hand: POST /triggers/usage", "next:  bill this period by hand: billhook trigger usage FILE"),
    ("try again shortly; see /readyz", "next:  try again shortly; see `billhook doctor`"),
    ("the fields are listed at /docs", "next:  the fields are listed at URL/docs"),
])  # fmt: skip
def test_a_next_step_names_a_command_and_no_call_of_the_api(run: Run, refusing: Any, said: str, told: str) -> None:
    url = refusing(409, {"detail": "x", "next_step": said})
    answer = run("invoice", "show", "k", BILLHOOK_API_URL=url, BILLHOOK_TOKEN="bh_x")
    assert answer.stderr.splitlines()[1] == told.replace("URL", url)


def test_json_alone_is_on_stdout(run: Run, refusing: Any) -> None:
    url = refusing(200, {"data": [{"key": "invoice:p:m", "status": "sent"}], "next_cursor": None})
    answer = run("invoice", "list", "--json", BILLHOOK_API_URL=url, BILLHOOK_TOKEN="bh_x")
    assert answer.returncode == Exit.OK
    assert json.loads(answer.stdout) == [{"key": "invoice:p:m", "status": "sent"}]
    assert answer.stderr == ""


def test_outside_text_cannot_steer_the_terminal(run: Run, refusing: Any) -> None:
    url = refusing(200, {"data": [{"key": "k", "waiting_for": "\x1b[2Jgone"}], "next_cursor": None})
    answer = run("invoice", "list", BILLHOOK_API_URL=url, BILLHOOK_TOKEN="bh_x")
    assert "\x1b" not in answer.stdout


def test_credentials_of_the_data_directory_are_used(run: Run, refusing: Any, tmp_path: Path) -> None:
    url = refusing(200, {"data": [], "next_cursor": None})
    (tmp_path / "credentials.env").write_text(f"BILLHOOK_API_URL={url}\nBILLHOOK_TOKEN=bh_kept\n")
    assert run("events", "list", "--json").stdout.strip() == "[]"


def test_fields_names_the_owner_of_each_field(run: Run) -> None:
    found = {one["field"]: one["owner"] for one in json.loads(run("fields", "--json").stdout)}
    assert found["po_number"] == "recipient"
    assert found["number"] == "invoicing_api"


def test_a_token_is_made_listed_and_revoked_without_showing_it_again(run: Run) -> None:
    assert run("db", "upgrade").returncode == Exit.OK
    none = run("token", "list")
    assert (none.stdout, none.stderr) == ("", "no token; `billhook token create NAME` makes one\n")
    made = run("token", "create", "maria", "--scope", "approve")
    assert made.returncode == Exit.OK, made.stderr
    listed = run("token", "list", "--json")
    assert [one["name"] for one in json.loads(listed.stdout)] == ["maria"]
    assert made.stdout.strip() not in listed.stdout
    assert run("token", "revoke", "maria").returncode == Exit.OK
    assert run("token", "revoke", "maria").returncode == Exit.NOT_FOUND


def test_an_agent_s_token_is_made_with_its_bounds_and_listed_with_them(run: Run) -> None:
    assert run("db", "upgrade").returncode == Exit.OK
    bounds = ("--limit", "USD=5000", "--limit", "JPY=4000", "--customer", "acme", "--expires", "30d")
    made = run("token", "create", "bot", "--scope", "agent", *bounds)
    assert made.returncode == Exit.OK
    assert made.stdout.startswith("bh_")
    assert "there is no customer 'acme' yet; `billhook customer put acme FILE`" in made.stderr
    listed = json.loads(run("token", "list", "--json").stdout)[0]
    assert (listed["limits"], listed["customers"]) == (["JPY=4000", "USD=5000.00"], ["acme"])
    assert listed["expires_at"]
    for wrong, named in (
        (("--customer", "acme"), "expires"),
        (("--expires", "30d"), "customer"),
        (("--customer", "acme", "--expires", "soon"), "expires"),
        (("--customer", "acme", "--expires", "30d", "--limit", "USD"), "limit"),
        (("--customer", "acme", "--expires", "30d", "--limit", "USD=0.001"), "limit"),
        (("--customer", "acme", "--expires", "30d", "--scope", "approve"), "scope"),
    ):
        refused = run("token", "create", "bot2", "--scope", "agent", *wrong)
        assert (refused.returncode, f"field: {named}" in refused.stderr) == (Exit.REFUSED, True), refused.stderr


def test_the_agents_server_says_on_stderr_why_it_does_not_serve(run: Run) -> None:
    nobody = run("mcp", BILLHOOK_API_URL="http://127.0.0.1:9")
    assert (nobody.returncode, nobody.stdout) == (Exit.NOT_ALLOWED, "")
    nowhere = run("mcp", BILLHOOK_API_URL="http://127.0.0.1:9", BILLHOOK_TOKEN="bh_x")
    assert (nowhere.returncode, nowhere.stdout) == (Exit.UNREACHABLE, "")
    assert "nothing answers" in nowhere.stderr


def test_the_version_is_printed(run: Run) -> None:
    answer = run("--version")
    assert (answer.returncode, answer.stdout, answer.stderr) == (Exit.OK, f"billhook {version('billhook')}\n", "")


def test_an_unknown_scope_is_refused_naming_those_there_are(run: Run) -> None:
    answer = run("token", "create", "maria", "--scope", "everything")
    assert answer.returncode == Exit.USAGE
    assert "approve" in answer.stderr


def test_doctor_says_item_by_item_what_is_missing(run: Run) -> None:
    answer = run("doctor", "--json", TEMPORAL_ADDRESS="127.0.0.1:9", BILLHOOK_SMTP_URL="smtp://127.0.0.1:9")
    assert answer.returncode == Exit.NOT_IN_ORDER, answer.stderr
    found = {one["item"]: one for one in json.loads(answer.stdout)}
    assert found["python"]["state"] == "ok"
    for item in ("database", "temporal", "invoicing API", "smtp", "webhook secrets"):
        assert found[item]["state"] == "failed"
        assert found[item]["next_step"]


def test_an_invoice_is_shown_with_every_value_in_one_column() -> None:
    invoice = {
        "customer_name": "Acme",
        "recipient": {"billing_entity": "Acme Holding", "po_number": "P-1"},
        "content": {"lines": [], "payment_terms": "net_30"},
        "assignee": "dana",
    }
    lines = list(shown(invoice))
    [column] = {line.index(value) for line in lines for value in ("Acme", "P-1", "net_30", "dana") if value in line}
    assert {line[column - 1] for line in lines} == {" "}
    assert not any(line[column].isspace() for line in lines)


def test_an_address_is_shown_as_its_parts() -> None:
    given = {"address": {"line1": "Hauptstr. 1", "city": "Berlin"}, "po_number": "P-1"}
    lines = [line.split(maxsplit=1) for line in shown({"key": "k", "recipient": given})]
    assert ["address", "Hauptstr. 1, Berlin"] in lines
