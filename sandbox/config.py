"""What one running sandbox is told at its start.

Secrets arrive here already read (from the environment, by whoever starts it) and are kept out of `repr`, since a
configuration is the first thing that ends up in a log line.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SandboxConfig:
    """Everything a sandbox needs; durations are seconds.

    `webhook_url` is an endpoint subscribed to every event from the start; more can be added over the API.
    """

    database: Path
    api_key: str = field(repr=False)
    public_url: str
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    idempotency_ttl_s: int = 86_400
    sender_name: str = "Jupiter Sandbox Ltd"
    sender_address: str = "1 Orbit Road, Dublin D02 XY00, Ireland"
    sender_bank: str = "IBAN IE64 IRCE 9205 0112 3456 78"
    number_prefix: str = "INV"
    webhook_concurrency: int = 16
    webhook_timeout_s: float = 15.0
    webhook_first_pause_s: float = 0.5
    webhook_longest_pause_s: float = 21_600.0
    webhook_give_up_after_s: float = 259_200.0
    # three days, as the contract promises
