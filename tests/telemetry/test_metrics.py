"""Dashboard and alerts ask for what is there; what is there is right, cheap to ask and about nobody."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import worker
from billing.errors import BadInput
from records.session import Database
from starter.client import connect
from starter.embedded.ports import free_ports
from starter.http.metrics import Standings
from telemetry import metrics
from tests.stack import running_stack

ROOT: Final = Path(__file__).parents[2]
ALERTS: Final = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: Final = json.loads((ROOT / "deploy/grafana/billhook.json").read_text())
_ASKED: Final = re.compile(r"\b(?:billhook|temporal)_[a-z_]+\b")
_SAMPLES: Final = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}


def _expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in ALERTS)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))


def _shown(text: str) -> set[str]:
    """The names of samples that may come, by each family's type: one with labels has none until something happened."""
    return {
        family.name + ending
        for family in text_string_to_metric_families(text)
        for ending in _SAMPLES.get(family.type, ())
    }


async def test_dashboard_and_alerts_name_nothing_that_is_not_shown(
    temporal_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an API, and by a worker that took an invoice to its recipient, read over HTTP from where they show it."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    [port] = free_ports(1)
    runtime, where = metrics.temporal_runtime(str(port))
    async with running_stack(temporal_address, tmp_path, worker_options=None) as stack:
        client = await connect(stack.settings, runtime)
        async with (
            worker.parts_of(stack.settings) as parts,
            worker.build_worker(client, parts, stack.settings.task_queue),
        ):
            await stack.customer()
            await stack.until(await stack.milestone(), "sent")
            async with httpx.AsyncClient() as http:
                temporals = (await http.get(f"http://{where}/metrics")).text
            ours = (await stack.api.get("/metrics")).text
    asked = {name for expression in _expressions() for name in _ASKED.findall(expression)}
    assert len(asked) > 15
    assert asked - _shown(ours) - _shown(temporals) == set()
    assert 'billhook_invoices{state="sent"} 1.0' in ours
    samples = [one for family in text_string_to_metric_families(ours) for one in family.samples]
    values = {value for one in samples for value in one.labels.values()}
    assert not {value for value in values if "acme" in value or "invoice:" in value or "@" in value}
    assert {"jupiter", "smtp", "create_draft", "POST", "/triggers/milestone"} <= values


def test_every_alert_says_what_it_is_and_where_it_is_told_what_to_do() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    told = (ROOT / "docs/observability.md").read_text()
    for rule in ALERTS:
        name = rule["alert"]
        assert {"summary", "description", "runbook"} <= set(rule["annotations"]), name
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#alert-{name.lower()}"
        assert f"### Alert: {name}\n" in runbook
        assert f"runbook.md#alert-{name.lower()}" in told
        assert rule["labels"]["severity"] in {"critical", "warning"}


async def test_a_database_that_is_gone_shows_as_such_and_not_as_old_numbers(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    shown, database = Standings(registry), Database(f"sqlite+aiosqlite:///{tmp_path}/nowhere/records.db")
    await shown.read(database)
    text = generate_latest(registry).decode()
    assert "billhook_standing_read 0.0" in text
    assert "billhook_events_waiting NaN" in text
    assert "billhook_invoices{" not in text
    await database.close()


async def test_many_readers_at_once_cost_the_database_one_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    async def counted(_self: Standings, _database: Database) -> None:
        nonlocal read
        read += 1

    monkeypatch.setattr(Standings, "_renew", counted)
    shown, database = Standings(CollectorRegistry()), Database(f"sqlite+aiosqlite:///{tmp_path}/records.db")
    await asyncio.gather(*(shown.read(database) for _ in range(20)))
    assert read == 1
    await database.close()


def test_worker_processes_with_one_setting_take_one_port_each_on_this_machine_alone() -> None:
    [port] = free_ports(1)
    first, second = metrics.serve(str(port)), metrics.serve(f"127.0.0.1:{port}")
    assert first != second
    assert first.startswith("127.0.0.1:")
    assert "billhook_steps" in httpx.get(f"http://{second}/metrics").text


@pytest.mark.parametrize("address", ["here", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1"])
def test_what_is_no_address_is_refused_by_its_setting(address: str) -> None:
    with pytest.raises(BadInput, match="worker_metrics"):
        metrics.serve(address)
