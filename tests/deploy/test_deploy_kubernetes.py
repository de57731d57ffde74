"""deploy/kubernetes: what the manifests name is there, what they run is a command of ours, what they set is a setting.

The objects are those of the published schema too: `kubernetes-validate --strict` passed on each of these files.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from billing.queues import Queue
from settings import Settings

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
BIN: Final = Path(sys.prefix) / "bin"
APART: Final = {"kustomization.yaml", "secret.example.yaml"}


def documents() -> list[dict[str, Any]]:
    files = [file for file in sorted(FOLDER.glob("*.yaml")) if file.name != "kustomization.yaml"]
    return [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in documents() if one["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    return {name: one["spec"]["template"]["spec"] for kind in ("Deployment", "Job") for name, one in of(kind).items()}


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in pods().items():
        for one in pod["containers"]:
            yield name, one


def test_every_manifest_is_applied_but_the_example_of_a_secret() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert set(listed) == {file.name for file in FOLDER.glob("*.yaml")} - APART
    assert not [one for one in documents() if "namespace" in one["metadata"]]


@pytest.mark.parametrize("name", sorted(pods()))
def test_each_command_is_one_that_billhook_knows(name: str) -> None:
    for command in [one["command"] for pod, one in containers() if pod == name]:
        done = subprocess.run(  # noqa: S603
            [str(BIN / command[0]), *command[1:], "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_what_is_set_is_a_setting(kind: str) -> None:
    found = of(kind)["billhook"]
    names = set(found.get("data") or found["stringData"])
    ours = {name.removeprefix("BILLHOOK_").lower() for name in names if name.startswith("BILLHOOK_")}
    assert ours <= set(Settings.model_fields)
    temporals = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY"}
    assert {name for name in names if not name.startswith("BILLHOOK_")} <= temporals


def test_what_pods_refer_to_is_there() -> None:
    for _, one in containers():
        refers = {(kind, ref["name"]) for source in one["envFrom"] for kind, ref in source.items()}
        assert refers == {("configMapRef", "billhook"), ("secretRef", "billhook")}
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods().values()
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == set(of("PersistentVolumeClaim"))
    for name, one in of("Deployment").items():
        labels = one["spec"]["template"]["metadata"]["labels"].items()
        assert one["spec"]["selector"]["matchLabels"].items() <= labels
        assert of("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"].items() <= labels
    service = of("Service")["billhook"]["spec"]
    assert service["selector"] == of("Deployment")["billhook-api"]["spec"]["selector"]["matchLabels"]


def test_between_them_the_workers_work_on_every_queue() -> None:
    words = [one["command"] for _, one in containers()]
    queues = [command[at + 1] for command in words for at, word in enumerate(command) if word == "--queue"]
    assert sorted(queues) == sorted(Queue)


def test_nothing_runs_as_root_or_writes_outside_its_volumes_or_takes_what_it_likes() -> None:
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["automountServiceAccountToken"] is False
    for name, one in containers():
        context = one["securityContext"]
        assert context["readOnlyRootFilesystem"], name
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert one["resources"]["limits"]["memory"], name


def test_whatever_stays_is_asked_whether_it_is_well_and_has_a_second_beside_it() -> None:
    for name, one in of("Deployment").items():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["startupProbe"], name
        assert container["livenessProbe"], name
        assert one["spec"]["replicas"] >= 2
        beats = container["livenessProbe"].get("exec")
        if beats:
            file = container["command"][container["command"].index("--health-file") + 1]
            assert file in beats["command"][-1]
