"""What a process counts wherever it happens: calls to outside systems and steps of invoices, by how they ended.

One registry per process, beside the one that each application has (starter/http/metrics.py). The API shows both; a
worker process shows this one at the address of BILLHOOK_WORKER_METRICS. Labels hold words of ours, never a key, a
customer or an address.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from billing.errors import BadInput

PROCESS: Final = CollectorRegistry()
CALLS: Final = Histogram(
    "billhook_provider_call_seconds",
    "Calls to outside systems, by how they ended",
    ["system", "outcome"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),  # to the client's own timeout
    registry=PROCESS,
)
STEPS: Final = Counter("billhook_steps", "Steps, by how each try ended", ["step", "outcome"], registry=PROCESS)
PROCESSES: Final = 32
# Worker processes of one machine with the same setting: each takes the next free port.


def serve(address: str) -> str:
    """Show PROCESS at `host:port`, or on the next free port; where it is shown. Raises BadInput."""
    return _on_a_free_port("worker_metrics", address, _served)


def _served(host: str, port: int) -> None:
    start_http_server(port, host, PROCESS)


def temporal_runtime(address: str) -> tuple[Runtime, str]:
    """A runtime of Temporal's SDK that shows its own metrics at `host:port` or on the next free port, and where.

    Raises BadInput.
    """
    made: list[Runtime] = []

    def take(host: str, port: int) -> None:
        shown = PrometheusConfig(
            bind_address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
        )
        try:
            made.append(Runtime(telemetry=TelemetryConfig(metrics=shown)))
        except (RuntimeError, ValueError) as error:
            raise OSError(str(error)) from error

    where = _on_a_free_port("temporal_metrics", address, take)
    return made[0], where


def _on_a_free_port(setting: str, address: str, take: Callable[[str, int], None]) -> str:
    host, port = place(setting, address)
    trouble: OSError | None = None
    for number in range(port, min(port + PROCESSES, 65_536)):
        try:
            take(host, number)
        except OSError as error:
            trouble = error
        else:
            return f"{host}:{number}"
    raise BadInput(setting, f"none of {PROCESSES} ports from {address} on can be used: {trouble}", "choose another")


def place(setting: str, address: str) -> tuple[str, int]:
    """`host:port`, or a port alone, which is this machine's own. Raises BadInput."""
    host, _, port = address.strip().rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:  # noqa: PLR2004 - ports end there
        raise BadInput(setting, f"{address!r} is no address", "write host:port, for example 127.0.0.1:9464")
    return host.strip("[]") or "127.0.0.1", int(port)
