"""The site is built without a warning, reads without a network, and its reference is what the code says."""

import re
import shutil
from pathlib import Path

import pytest

from activities.signatures import Signature
from bench.budget import billed_actions
from billing.events import EventType
from billing.policy import Policy
from billing.record import Fate, Status
from docs.site import build, reference
from docs.site.reference import api, cli, cost, policy, settings, states, temporal
from settings import Settings
from starter.cli.exits import Exit
from worker import WORKFLOWS
from workflows import visibility

RUNBOOK = (build.ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.build(tmp_path_factory.mktemp("site"))


def test_the_site_is_built_without_a_warning_and_every_document_is_in_it(html: Path) -> None:
    documents = [file.relative_to(build.ROOT / "docs") for file in (build.ROOT / "docs").rglob("*.md")]
    assert [str(one) for one in documents if not (html / one.with_suffix(".html")).exists()] == []
    assert (html / "reference" / "cli.html").exists()
    contents = (html / "index.html").read_text(encoding="utf-8")
    listed = [one for one in documents if f'"{one.with_suffix(".html")}"' in contents]
    assert [str(one) for one in documents if one not in listed] == ["index.md"]


def test_no_page_needs_another_host_and_the_search_is_on_the_machine(html: Path, tmp_path: Path) -> None:
    assert list(build.fetched(html)) == []
    assert (html / "searchindex.js").stat().st_size > 10_000
    for bad in (
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
    ):
        (tmp_path / "page.html").write_text(bad)
        assert [page for page, _ in build.fetched(tmp_path)] == ["page.html"], bad
    (tmp_path / "page.html").write_text('<a href="https://temporal.io">a link is followed by a person</a>')
    (tmp_path / "style.css").write_text("@font-face { src: url('https://fonts.example/a.woff2') }")
    assert list(build.fetched(tmp_path)) == [("style.css", "https://fonts.example/a.woff2")]


def test_a_document_that_nobody_listed_is_listed_and_links_only_within_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(build.ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    text = "# A new one\n\n[the images](../deploy/Dockerfile), [what is not there](../deploy/none), [runs](runs.md)\n"
    (tmp_path / "docs" / "a-new-one.md").write_text(text)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "Dockerfile").touch()
    monkeypatch.setattr(build, "ROOT", tmp_path)
    build.stage(tmp_path / "staged")
    assert "\na-new-one\n" in (tmp_path / "staged" / "index.md").read_text()
    staged = (tmp_path / "staged" / "a-new-one.md").read_text()
    assert staged == text.replace("[the images](../deploy/Dockerfile)", "the images")


def test_every_command_that_can_be_run_is_in_the_reference_with_its_options() -> None:
    text = cli.text()
    commands = dict(cli.commands())
    assert {"billhook up", "billhook customer put", "billhook invoice verify"} <= commands.keys()
    for path, command in commands.items():
        section = text.split(f"## {path}\n", 1)[1].split("\n## ", 1)[0]
        names = [name for parameter in command.params for name in parameter.opts if parameter.name != "help"]
        assert [name for name in names if name.startswith("-") and name not in section] == [], path
    assert all(f"| `{int(one)}` |" in text for one in Exit)


def test_every_call_of_the_api_is_in_the_reference_with_its_scope() -> None:
    found, text = api.schema(), api.text()
    calls = list(api.operations(found))
    assert len(calls) > 30
    for path, method, one in calls:
        section = text.split(f"## {method} {path}\n", 1)[1].split("\n## ", 1)[0]
        assert f"`{one['x-billhook-scope']}`" in section if "x-billhook-scope" in one else "no token" in section, path
    assert all(f"### {name}\n" in text for name in found["components"]["schemas"])


def test_every_setting_is_in_the_reference_and_no_comment_of_theirs_is_lost() -> None:
    text, remarks = settings.text(), settings.remarks()
    assert all(f"`BILLHOOK_{name.upper()}`" in text for name in Settings.model_fields)
    assert remarks["mail_rate"].startswith("steps per second")
    assert remarks["oidc_issuer"].startswith("sign-in at the desk")
    assert "calls_at_once" not in remarks or "per second" not in remarks["calls_at_once"]


def test_every_key_of_the_policy_is_in_the_reference() -> None:
    text = policy.text()
    for name, field in Policy.model_fields.items():
        assert f"[{name}]" in text
        inner = policy.model_of(field.annotation)
        assert all(f"| `{key}` |" in text for key in (inner.model_fields if inner else ()))


def test_states_actions_steps_and_events_are_those_of_the_code() -> None:
    text = states.text()
    assert all(f"| `{one.value}` |" in text for one in Status)
    assert len(states.steps()) > 10
    assert all(isinstance(one, Signature) and f"| `{one.name}` | {one.words} |" in text for one in states.steps())
    events = reference.PAGES["events"]()
    assert all(f"| `{one.value}` |" in events for one in (*EventType, *Fate))


def test_what_the_temporal_ui_shows_is_in_the_reference() -> None:
    text = temporal.text()
    assert all(f"| `{key.name}` |" in text for key in visibility.ALL)
    for one in WORKFLOWS:
        found = temporal.definition(one)
        assert all(f"| `{name}` |" in text for kind in (found.signals, found.updates, found.queries) for name in kind)


def test_the_cost_of_an_invoice_is_counted_from_a_recorded_history() -> None:
    found = cost.recorded("automatic")
    assert sum(cost.kinds(found).values()) == billed_actions(found) > 10
    assert f"| {billed_actions(found)} | {len(found.events)} |" in cost.table_of_actions()
    assert f"about {billed_actions(found)} million actions" in cost.arithmetic()


def test_the_runbook_says_what_to_do_for_every_step_that_can_fail() -> None:
    rows = re.findall(r"^\| (`.*?) \|", RUNBOOK, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {one.name for one in states.steps()} - named == set()


_TOLD = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ |.*\| )?(?:\S*/)?billhook ((?:[a-z]+ ?)+[^|#;\n]*)", re.MULTILINE)


def test_every_command_that_a_document_tells_is_there() -> None:
    """The words of a command, as far as they are words; its options are read from the command itself."""
    commands = {path.removeprefix("billhook "): command for path, command in cli.commands()}
    wrong, told = [], 0
    for file in [build.ROOT / "README.md", *sorted((build.ROOT / "docs").rglob("*.md"))]:
        for line in _TOLD.findall(_code(file.read_text(encoding="utf-8"))):
            path = next((path for path in (" ".join(line.split()[:n]) for n in (2, 1)) if path in commands), None)
            options = re.findall(r"(?<!\S)--[a-z-]+", line)
            known = [name for one in commands[path].params for name in one.opts] if path else []
            told += 1
            if path is None or not {*options} <= {*known, "--help"}:
                wrong.append((file.name, line))
    assert wrong == []
    assert told > 100


def _code(text: str) -> str:
    """What a document shows as code: blocks, and words in backticks."""
    blocks = "\n".join(re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL))
    return blocks + "\n" + "\n".join(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
